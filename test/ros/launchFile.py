"""
Runs a launch file's generate_launch_description and writes what it would start, as JSON.

    python launchFile.py FILE [argument:=value ...]
"""

import importlib.util
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'launch_stand_in'))
from launch.actions import DeclareLaunchArgument, LogInfo, OpaqueFunction, SetEnvironmentVariable  # noqa: E402
from launch.substitutions import perform  # noqa: E402
from launch_ros.actions import Node  # noqa: E402

spec = importlib.util.spec_from_file_location('launch_file', sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
entities = module.generate_launch_description().entities

declared = [entity for entity in entities if isinstance(entity, DeclareLaunchArgument)]
arguments = {entity.name: entity.default_value for entity in declared if entity.default_value is not None}
for given in sys.argv[2:]:
    name, _, value = given.partition(':=')
    choices = next(entity.choices for entity in declared if entity.name == name)
    if choices and value not in choices:
        sys.exit(f'{name}: {value} is not one of {choices}')
    arguments[name] = value
missing = [entity.name for entity in declared if entity.name not in arguments]
if missing:
    sys.exit(f'required launch arguments missing: {missing}')


def evaluate(value):
    return value.evaluate(arguments) if hasattr(value, 'evaluate') else perform(value, arguments)


# What a function gives is visited in its place, with its conditions.
entities = [
    given
    for entity in entities
    for given in (entity.function(arguments) if isinstance(entity, OpaqueFunction) else [entity])
]

result = {'arguments': [[entity.name, entity.description] for entity in declared], 'nodes': [], 'logs': [], 'environment': {}}
for entity in entities:
    if entity.condition and not entity.condition.evaluate(arguments):
        continue
    if isinstance(entity, LogInfo):
        result['logs'].append(perform(entity.msg, arguments))
    elif isinstance(entity, SetEnvironmentVariable):
        result['environment'][entity.name] = perform(entity.value, arguments)
    elif isinstance(entity, Node):
        parameters = {}
        files = []
        typed = []
        for entry in entity.parameters:
            if isinstance(entry, dict):
                typed += [name for name, value in entry.items() if not hasattr(value, 'perform')]
                parameters |= {name: evaluate(value) for name, value in entry.items()}
            else:
                files.append(perform(entry, arguments))
        result['nodes'].append(
            {
                'package': entity.package,
                'executable': entity.executable,
                'namespace': perform(entity.namespace, arguments),
                'parameterFiles': files,
                'parameters': parameters,
                'typed': typed,
                'remappings': [[perform(side, arguments) for side in pair] for pair in entity.remappings],
                'arguments': [perform(argument, arguments) for argument in entity.arguments],
                'endsLaunch': type(entity.on_exit).__name__ == 'Shutdown',
            }
        )
print(json.dumps(result))
