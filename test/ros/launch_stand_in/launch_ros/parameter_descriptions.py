from launch.substitutions import perform


class ParameterValue:
    def __init__(self, value, *, value_type=None):
        self.value, self.value_type = value, value_type

    def evaluate(self, arguments):
        text = perform(self.value, arguments)
        if self.value_type is bool:
            return {'true': True, 'false': False}[text.lower()]
        return self.value_type(text) if self.value_type else text
