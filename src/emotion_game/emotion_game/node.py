"""The game node: two players show the emotion that is asked for."""

from dataclasses import replace
from random import Random

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from std_srvs.srv import Trigger

from emotion_core import qos
from emotion_core.actions import Ending, ExclusiveServer
from emotion_core.errors import EmotionError
from emotion_core.messages import to_evidence
from emotion_core.node import EmotionNode
from emotion_core.node import run as run_node
from emotion_core.stamps import NS_PER_S
from emotion_game.game import Game, Outcome, Rules, State
from emotion_game.messages import to_result, to_rules, to_sight, to_state
from emotion_game.parameters import GameParameters
from emotion_game.sentences import ENDINGS, ending, prompt, round_result
from emotion_msgs.action import PlayGame
from emotion_msgs.msg import EmotionProbs, FaceEmotions, GameState, SpeechActivity

FACES, ACTIVITY = 'emotion/faces', 'emotion/speech/activity'
TICK_S = 0.06  # also of what is published: more often than ten times a second
SOUND_S = 2.0  # a microphone that was heard of within this is there
SILENT_S = 3.0  # without a frame for this long the game fails
BEATING_S = 2.5  # a node whose diagnostics came within this is alive
FACE_NODE = 'emotion_face'


class GameNode(EmotionNode):
    """Feeds a Game, and gives its state to a topic and to the client of the action."""

    def __init__(self):
        """Make the node; ``setup`` does the rest."""
        super().__init__('emotion_game', GameParameters)

    def setup(self) -> None:
        """Make the game, the topics and the action."""
        self._game = Game(Random(self.parameters.seed or None))
        self._message = self._complaint = ''
        self._faces_ns = 0
        self._rules = self.parameters.rules  # that were asked for
        self._noticed = State.WAITING, 0
        self._states = self.advertise(GameState, 'emotion/game', qos.LATCHED)
        self.subscribe(FaceEmotions, FACES, self._on_faces, qos.RESULT)
        self.subscribe(EmotionProbs, 'emotion/speech', self._on_speech, qos.RESULT)
        self.subscribe(SpeechActivity, ACTIVITY, lambda msg: None, qos.RESULT)
        self.subscribe(DiagnosticArray, '/diagnostics', self._on_diagnostics, qos.RESULT, in_order=False)
        self.offer(Trigger, 'abort_game', self._on_abort)
        self._action = self.keep(ExclusiveServer(self, PlayGame, 'play_game', self._make_room, self._on_goal))
        self.every(TICK_S, self._on_tick, steady=True)

    def start(self) -> None:
        """Say that it waits for a game."""
        self._publish()

    def stop(self) -> None:
        """End what goes on, so that nobody waits for it."""
        self._end(Outcome.NODE_LOST)
        self._game.rest()
        self._publish()

    def teardown(self) -> None:
        """As ``stop``, when the process ends while a game goes on."""
        if self.context.ok() and hasattr(self, '_game') and self._game.active:
            self.stop()

    def reset(self) -> None:
        """End a game whose clock jumped back."""
        self._break_off('the clock jumped back')

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
        self._game.hear(evidence.probabilities, now - late - length, now - late, now)

    def _on_diagnostics(self, msg: DiagnosticArray) -> None:
        name = f'{self.get_namespace().strip("/")}/{FACE_NODE}'.lstrip('/')
        for status in msg.status:
            if status.name == name:
                self.health.count(f'diagnostics of {FACE_NODE}')
                self._complaint = '' if status.level == DiagnosticStatus.OK else status.message

    # What goes on.

    def _make_room(self) -> None:
        if self._game.is_playing:
            self._end(Outcome.PREEMPTED)

    def _on_goal(self, goal: PlayGame.Goal) -> None:
        try:
            rules = to_rules(goal, self.parameters)
        except EmotionError as error:
            self._game.begin(self.parameters.rules, self._now())
            self._end(Outcome.INVALID_GOAL, str(error))
            return
        self._begin(rules)

    def _begin(self, rules: Rules) -> None:
        self._message, self._faces_ns = '', self.now_ns()
        self._rules = rules
        self._game.begin(rules, self._now())
        self._listen()
        self._noticed = State.WAITING, 0
        self._publish()

    def _listen(self) -> None:
        """Leave the voice round out where no microphone is heard of before the players are there."""
        hears = self.health.seconds_since(f'received {ACTIVITY}') < SOUND_S
        self._game.rules = replace(self._rules, voice_round=self._rules.voice_round and hears)

    def _on_abort(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self.active and self._game.is_playing
        response.message = 'the game is ended' if response.success else 'no game goes on'
        if response.success:
            self._end(Outcome.CANCELED, 'the game was ended with abort_game')
        return response

    def _on_tick(self) -> None:
        game = self._game
        stopped = self.stopped_clock()
        if not game.active:
            if self.parameters.continuous and not stopped and not self.waiting_for():
                self._begin(self.parameters.rules)
            return
        if stopped:
            return self._break_off(stopped)
        if game.is_playing:
            if self._action.is_cancel_requested:
                self._end(Outcome.CANCELED)
            elif self.now_ns() - self._faces_ns > SILENT_S * NS_PER_S:
                self._end(*self._blame())
            elif game.state is State.WAITING:
                self._listen()
        game.tick(self._now())
        self._notice()
        self._publish()

    def _notice(self) -> None:
        """Say once what has changed; a game that has ended has its sentence from then on."""
        game = self._game
        if game.active and not game.is_playing and not self._message:
            self._end(game.outcome)
        if not game.active or (game.state, game.round) == self._noticed:
            return
        self._noticed = game.state, game.round
        if game.state is State.COUNTDOWN:
            if game.rules != self._rules and game.round == 1:
                self.get_logger().warning('no microphone is heard of: there will be no voice round')
            self.get_logger().info(f'Round {game.round} of {game.rules.all_rounds}: {game.target}')
        elif game.state is State.SCORE:
            self.get_logger().info(round_result(game))
        self._publish()

    def _blame(self) -> tuple[Outcome, str]:
        """Say why no faces are heard of: the node is gone, or it gets no images."""
        if self.health.seconds_since(f'diagnostics of {FACE_NODE}') > BEATING_S:
            return Outcome.NODE_LOST, f'the node {FACE_NODE} is gone: nothing of it on /diagnostics'
        return Outcome.NO_CAMERA, self._complaint or ENDINGS[Outcome.NO_CAMERA]

    def _end(self, outcome: Outcome, message: str = '') -> None:
        """Give the game that goes on its outcome and tell its client."""
        game = self._game
        if game.is_playing:
            game.end(outcome)
        elif self._message or not game.active:
            return
        self._message = message or ending(game)
        self._publish()
        how = {Outcome.COMPLETED: Ending.SUCCEEDED, Outcome.FORFEITED: Ending.SUCCEEDED}.get(
            outcome, Ending.CANCELED if outcome is Outcome.CANCELED else Ending.ABORTED
        )
        self._action.finish(how, **to_result(game, self._message))
        self.get_logger().info(f'Game over: {self._message}')
        self.health.count(f'outcome {outcome.name.lower()}')

    def _break_off(self, reason: str) -> None:
        """End what goes on at once, for time cannot be told any more."""
        self._end(Outcome.NODE_LOST, reason)
        self._game.rest()
        self._publish()

    def _now(self) -> float:
        return self.now_ns() / NS_PER_S

    def _publish(self) -> None:
        """Give the state to the topic and to the client, the same to both."""
        if not self._game.active:
            self._message = ''
        state = to_state(self._game, self.now_ns(), prompt(self._game, self._message), self._message)
        self._states.publish(state)
        self._action.give_feedback(state=state)


def main(args: list[str] | None = None) -> None:
    """Run the node."""
    run_node(GameNode, args)


if __name__ == '__main__':
    main()
