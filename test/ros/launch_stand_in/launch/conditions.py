from .substitutions import perform


class IfCondition:
    def __init__(self, predicate_expression):
        self.predicate_expression = predicate_expression

    def evaluate(self, arguments):
        text = perform(self.predicate_expression, arguments).lower()
        if text not in ('true', 'false', '1', '0'):
            raise ValueError(f'condition is {text!r}')
        return text in ('true', '1')
