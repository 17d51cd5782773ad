def perform(value, arguments):
    """Text of a value, substitution or list of them, with the launch arguments put in."""
    if isinstance(value, (list, tuple)):
        return ''.join(perform(part, arguments) for part in value)
    return value.perform(arguments) if hasattr(value, 'perform') else value


class LaunchConfiguration:
    def __init__(self, variable_name):
        self.variable_name = variable_name

    def perform(self, arguments):
        return perform(arguments[self.variable_name], arguments)  # KeyError: an argument that was never declared


class PythonExpression:
    def __init__(self, expression):
        self.expression = expression

    def perform(self, arguments):
        return str(eval(perform(self.expression, arguments), {'__builtins__': {}}))
