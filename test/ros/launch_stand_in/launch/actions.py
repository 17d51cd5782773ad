class Action:
    def __init__(self, *, condition=None):
        self.condition = condition


class DeclareLaunchArgument(Action):
    def __init__(self, name, *, default_value=None, description=None, choices=None, **kwargs):
        super().__init__(**kwargs)
        self.name, self.default_value, self.description, self.choices = name, default_value, description, choices


class LogInfo(Action):
    def __init__(self, *, msg, **kwargs):
        super().__init__(**kwargs)
        self.msg = msg


class OpaqueFunction(Action):
    def __init__(self, *, function, **kwargs):
        super().__init__(**kwargs)
        self.function = function


class SetEnvironmentVariable(Action):
    def __init__(self, name, value, **kwargs):
        super().__init__(**kwargs)
        self.name, self.value = name, value


class Shutdown(Action):
    def __init__(self, *, reason='', **kwargs):
        super().__init__(**kwargs)
        self.reason = reason
