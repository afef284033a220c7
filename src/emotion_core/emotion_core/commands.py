"""Commands that nodes and tools tell people to type."""


def up(graph: str = '', namespace: str = '') -> str:
    """Give the command that starts a graph, by default all of it, in a namespace; in backticks."""
    name = namespace.strip('/')
    return '`' + ' '.join(filter(None, ('./emotion up', graph, name and f'namespace:={name}'))) + '`'


def up_with(task: str, model: str) -> str:
    """Give the command that starts the graph of a task, 'fer' or 'ser', with this model in place of the default one."""
    graph = {'fer': 'face', 'ser': 'speech'}[task]
    return f'./emotion up {graph} {graph}_model:={model}'
