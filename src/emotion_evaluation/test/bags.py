"""Small bags for the tests."""

from emotion_evaluation import scenario_bag
from emotion_evaluation.bag_writer import BagWriter
from emotion_evaluation.definitions import installed_types

STRING = 'std_msgs/msg/String'
START_NS = 1_700_000_000_000_000_000
MS = 1_000_000

# A person of the demo who speaks; then somebody else's voice from nowhere.
SCENES = (
    scenario_bag.Scene(4.5, 'one person', (scenario_bag.Person('a', 'happy', (0.5,)),)),
    scenario_bag.Scene(3.5, 'a voice', (scenario_bag.Person('b', 'surprise', (0.5,), visible=False),)),
)


def write_strings(folder, count=20, storage='mcap', checkpoint_every=5, close=True):
    """Write a bag with numbered strings, 100 ms apart; gives the writer."""
    types = installed_types([STRING])
    writer = BagWriter(folder, storage, types=types)
    writer.add_topic('/words', STRING)
    for number in range(count):
        message = types.types[STRING](f'word {number}')
        writer.write('/words', START_NS + 100 * MS * number, bytes(types.serialize_cdr(message, STRING)))
        if number % checkpoint_every == checkpoint_every - 1:
            writer.checkpoint()
    if close:
        writer.close()
    return writer
