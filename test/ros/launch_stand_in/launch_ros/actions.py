from launch.actions import Action


class Node(Action):
    def __init__(
        self,
        *,
        executable,
        package=None,
        name=None,
        namespace=None,
        parameters=None,
        remappings=None,
        arguments=None,
        output='log',
        on_exit=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.executable, self.package, self.name, self.namespace = executable, package, name, namespace
        self.parameters, self.remappings, self.arguments = parameters or [], remappings or [], arguments or []
        self.output, self.on_exit = output, on_exit
