# Compiles the nodes in the build folder and installs them, with the npm packages they need at run time, to share/depthgrad/js.
# scripts/setup.sh does the work that is not CMake's: npm, rclnodejs' addon and its generated messages (cached, so a rebuild is quick).
find_program(NPM npm REQUIRED)
find_program(NODE node REQUIRED)
find_program(BASH bash REQUIRED)
set(JS ${CMAKE_CURRENT_BINARY_DIR}/js)
set(INSTALLED ${CMAKE_CURRENT_BINARY_DIR}/installed_js)
file(GLOB_RECURSE typescript CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/*.ts)
file(GLOB_RECURSE setup CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/scripts/*.sh ${CMAKE_CURRENT_SOURCE_DIR}/scripts/setup/*
  ${CMAKE_CURRENT_SOURCE_DIR}/native/*)
file(GLOB_RECURSE data CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/models/* ${CMAKE_CURRENT_SOURCE_DIR}/config/*
  ${CMAKE_CURRENT_SOURCE_DIR}/web/*)
set(interfaces ${interface_files})
list(TRANSFORM interfaces PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)

add_custom_command(
  OUTPUT ${JS}/.packages
  COMMENT "npm packages and rclnodejs' addon"
  COMMAND ${CMAKE_COMMAND} -E make_directory ${JS}
  COMMAND ${CMAKE_COMMAND} -E copy package.json package-lock.json ${JS}
  COMMAND ${CMAKE_COMMAND} -E env DEPTHGRAD_APP=${JS} ${BASH} scripts/setup.sh --nodes
  COMMAND ${CMAKE_COMMAND} -E touch ${JS}/.packages
  DEPENDS package.json package-lock.json ${interfaces} ${setup}
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
  VERBATIM)

file(WRITE ${JS}/tsconfig.install.json
  [=[{ "extends": "./tsconfig.json", "compilerOptions": { "types": ["node"] }, "include": ["src"] }]=])
add_custom_command(
  OUTPUT ${JS}/.compiled
  COMMENT "TypeScript"
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${JS}/src ${JS}/dist
  COMMAND ${CMAKE_COMMAND} -E copy_directory src ${JS}/src
  COMMAND ${CMAKE_COMMAND} -E copy tsconfig.json ${JS}
  COMMAND ${JS}/node_modules/.bin/tsc -p ${JS}/tsconfig.install.json
  COMMAND ${CMAKE_COMMAND} -E touch ${JS}/.compiled
  DEPENDS ${JS}/.packages ${typescript} tsconfig.json
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
  VERBATIM)

# What is installed: no compiler, linter or test runner. Hard links cost no space.
add_custom_command(
  OUTPUT ${INSTALLED}/.complete
  COMMENT "npm packages the nodes need at run time"
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${INSTALLED}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${INSTALLED}
  COMMAND cp -al ${JS}/node_modules ${JS}/dist ${INSTALLED}/
  # npm writes its lock files in place: as links they would tell the next set-up that js/node_modules lacks what is pruned here
  COMMAND cp ${JS}/package.json ${JS}/package-lock.json ${INSTALLED}/
  COMMAND cp --remove-destination ${JS}/node_modules/.package-lock.json ${INSTALLED}/node_modules/
  COMMAND ${CMAKE_COMMAND} -E copy_directory models ${INSTALLED}/models
  COMMAND ${CMAKE_COMMAND} -E copy_directory config ${INSTALLED}/config
  COMMAND ${CMAKE_COMMAND} -E copy_directory web ${INSTALLED}/web
  COMMAND ${NPM} prune --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error --prefix ${INSTALLED}
  # npm removes what no lock file names, and link.sh put the compiled kernels there
  COMMAND cp -al ${JS}/node_modules/depthgrad-native ${INSTALLED}/node_modules/
  COMMAND ${NODE} -e "require(process.argv[1])" ${INSTALLED}/dist/src/native.js
  COMMAND ${CMAKE_COMMAND} -E touch ${INSTALLED}/.complete
  DEPENDS ${JS}/.compiled ${data}
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}
  VERBATIM)
add_custom_target(nodes ALL DEPENDS ${INSTALLED}/.complete)

install(DIRECTORY ${INSTALLED}/ DESTINATION share/${PROJECT_NAME}/js USE_SOURCE_PERMISSIONS)
install(DIRECTORY launch config rviz models DESTINATION share/${PROJECT_NAME} PATTERN __pycache__ EXCLUDE)

foreach(node depth replay model_sender adaptation dashboard)
  string(REGEX REPLACE "_s" "S" script ${node}) # model_sender_node runs modelSenderNode.js
  # $0 is not resolved: under --symlink-install it would lead to the build folder
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${node}_node "#!/bin/sh
prefix=$(cd \"$(dirname \"$0\")/../..\" && pwd)
if [ -z \"\${FASTDDS_DEFAULT_PROFILES_FILE-}\${FASTRTPS_DEFAULT_PROFILES_FILE-}\" ]; then
  case \${ROS_DISTRO-} in
    humble | jazzy) export FASTRTPS_DEFAULT_PROFILES_FILE=\"$prefix/share/depthgrad/config/fastdds_shm.xml\" ;; # Fast DDS 2
    *) export FASTDDS_DEFAULT_PROFILES_FILE=\"$prefix/share/depthgrad/config/fastdds_shm.xml\" ;;
  esac
fi
exec node \"$prefix/share/depthgrad/js/dist/src/nodes/${script}Node.js\" \"$@\"
")
  install(PROGRAMS ${CMAKE_CURRENT_BINARY_DIR}/${node}_node DESTINATION lib/${PROJECT_NAME})
endforeach()
