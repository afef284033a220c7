"""The game node: two players show the emotion that is asked for."""

from dataclasses import replace
from random import Random

from emotion_core import qos
from emotion_core.goal_node import GoalNode
from emotion_core.messages import to_evidence
from emotion_core.node import run as run_node
from emotion_core.stamps import NS_PER_S
from emotion_game.game import Game, Outcome, State
from emotion_game.messages import to_rules, to_sight, to_state
from emotion_game.parameters import GameParameters
from emotion_game.sentences import ending, prompt, round_result
from emotion_msgs.action import PlayGame
from emotion_msgs.msg import EmotionProbs, FaceEmotions, GameState, SpeechActivity

FACES, ACTIVITY = 'emotion/faces', 'emotion/speech/activity'
SOUND_S = 2.0  # a microphone that was heard of within this is there
SILENT_S = 3.0  # without a frame for this long the game fails
FACE_NODE = 'emotion_face'


class GameNode(GoalNode):
    """Feeds a Game."""

    outcomes, successes = Outcome, frozenset({Outcome.COMPLETED, Outcome.FORFEITED})

    def __init__(self):
        """Make the node; ``setup`` does the rest."""
        super().__init__('emotion_game', GameParameters)

    def setup(self) -> None:
        """Make the game, the topics and the action."""
        self._game = Game(Random(self.parameters.seed or None))
        self._faces_ns = 0
        self._rules = self.parameters.rules  # that were asked for
        self._noticed = State.WAITING, 0
        self.subscribe(FaceEmotions, FACES, self._on_faces, qos.RESULT)
        self.subscribe(EmotionProbs, 'emotion/speech', self._on_speech, qos.RESULT)
        self.subscribe(SpeechActivity, ACTIVITY, lambda msg: None, qos.RESULT)
        self.serve(self._game, 'game', 'play_game', PlayGame, 'emotion/game', GameState, [FACE_NODE])

    def waiting_for(self) -> str:
        """Say when no faces are heard of."""
        if self.health.seconds_since(f'received {FACES}') < SILENT_S:
            return ''
        return f'nothing on {self.resolve_topic_name(FACES)}: is the face node running, with a camera?'

    # What comes in.

    def _on_faces(self, msg: FaceEmotions) -> None:
        self._faces_ns = self.now_ns()
        self._game.see([to_sight(face) for face in msg.faces], self._now())
        self._notice()

    def _on_speech(self, msg: EmotionProbs) -> None:
        evidence, now = to_evidence(msg), self._now()
        # How long ago it began is the same by any clock that runs as fast as ours.
        late = max(now - evidence.stamp_ns / NS_PER_S, 0.0)
        late = late if late < SOUND_S else 0.0
        length = (evidence.stamp_ns - evidence.start_ns) / NS_PER_S
        self._game.hear(evidence.probabilities, now - late - length, evidence.quality_terms.get('seconds', length))

    # What goes on.

    def begin(self, goal: PlayGame.Goal | None) -> None:
        """Begin a game."""
        self._rules = to_rules(goal, self.parameters) if goal else self.parameters.rules
        self._faces_ns = self.now_ns()
        self._game.begin(self._rules, self._now())
        self._listen()
        self._noticed = State.WAITING, 0

    def conclude(self, outcome: Outcome) -> None:
        """End the game."""
        self._game.end(outcome)

    def go_on(self) -> None:
        """End a game of which no faces are heard; let time pass."""
        if self._game.is_open:
            if self.now_ns() - self._faces_ns > SILENT_S * NS_PER_S:
                self.end(*self.why_silent(FACE_NODE, Outcome.NO_CAMERA))
            elif self._game.state is State.WAITING:
                self._listen()
        self._game.tick(self._now())
        self._notice()

    def sentence(self, outcome: Outcome) -> str:
        """Say who has won, or why nobody has."""
        return ending(self._game)

    def summary(self, message: str) -> str:
        """Say that it is over, and how."""
        return f'Game over: {message}'

    def state(self, message: str) -> GameState:
        """Give where the game is."""
        return to_state(self._game, self.now_ns(), prompt(self._game, message), message)

    def _listen(self) -> None:
        """Leave the voice round out where no microphone is heard of before the players are there."""
        hears = self.health.seconds_since(f'received {ACTIVITY}') < SOUND_S
        self._game.rules = replace(self._rules, voice_round=self._rules.voice_round and hears)

    def _notice(self) -> None:
        """Say once what has changed; the end first, for what is published of it has a sentence."""
        self.settle()
        game = self._game
        if not game.active or (game.state, game.round) == self._noticed:
            return
        self._noticed = game.state, game.round
        if game.state is State.COUNTDOWN:
            if game.rules != self._rules and game.round == 1:
                self.get_logger().warning('no microphone is heard of: there will be no voice round')
            self.get_logger().info(f'Round {game.round} of {game.rules.all_rounds}: {game.target}')
        elif game.state is State.SCORE:
            self.get_logger().info(round_result(game))
        self.publish()

    def _now(self) -> float:
        return self.now_ns() / NS_PER_S


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run_node(GameNode, args)


if __name__ == '__main__':
    main()
