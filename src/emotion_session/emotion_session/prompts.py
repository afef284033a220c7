"""What the session says to people, in their language."""

from collections.abc import Sequence

from emotion_core.emotions import EMOTIONS

FALLBACK = 'en'

# Language -> key -> sentence; {emotion} is the name of the emotion.
PROMPTS = {
    'en': {
        'idle': 'ready',
        'come': 'come in front of the camera',
        'hold': 'hold an expression to lock in…',
        'locked': '{emotion}: locked in',
        'speak': 'speak now…',
        'hearing': 'I am listening…',
        'success': 'face and voice, side by side',
        'no_face': 'I saw nobody',
        'no_lock': 'no expression was held for long enough',
        'no_speech': 'I heard nobody speak',
        'changed': 'somebody else came in',
        'no_camera': 'I cannot see: no picture from the camera',
        'no_microphone': 'I cannot hear: no sound from the microphone',
        'stopped': 'stopped',
        'broken': 'sorry, a part of me has failed',
        'emotions': ('angry', 'fear', 'happy', 'neutral', 'sad', 'surprise'),
    },
    'de': {
        'idle': 'bereit',
        'come': 'komm vor die Kamera',
        'hold': 'halte einen Ausdruck, bis er einrastet…',
        'locked': '{emotion}: eingerastet',
        'speak': 'jetzt sprechen…',
        'hearing': 'ich höre zu…',
        'success': 'Gesicht und Stimme nebeneinander',
        'no_face': 'ich habe niemanden gesehen',
        'no_lock': 'kein Ausdruck wurde lange genug gehalten',
        'no_speech': 'ich habe niemanden sprechen hören',
        'changed': 'jemand anderes ist ins Bild gekommen',
        'no_camera': 'ich sehe nichts: kein Bild von der Kamera',
        'no_microphone': 'ich höre nichts: kein Ton vom Mikrofon',
        'stopped': 'beendet',
        'broken': 'leider ist ein Teil von mir ausgefallen',
        'emotions': ('wütend', 'ängstlich', 'fröhlich', 'neutral', 'traurig', 'überrascht'),
    },
    'fr': {
        'idle': 'prêt',
        'come': 'placez-vous devant la caméra',
        'hold': 'gardez une expression pour la fixer…',
        'locked': '{emotion} : fixé',
        'speak': 'parlez maintenant…',
        'hearing': "j'écoute…",
        'success': 'visage et voix, côte à côte',
        'no_face': "je n'ai vu personne",
        'no_lock': "aucune expression n'a été gardée assez longtemps",
        'no_speech': "je n'ai entendu personne parler",
        'changed': "quelqu'un d'autre est arrivé",
        'no_camera': "je ne vois rien : pas d'image de la caméra",
        'no_microphone': "je n'entends rien : pas de son du micro",
        'stopped': 'arrêté',
        'broken': 'désolé, une partie de moi est en panne',
        'emotions': ('colère', 'peur', 'joie', 'neutre', 'tristesse', 'surprise'),
    },
    'pl': {
        'idle': 'gotowe',
        'come': 'stań przed kamerą',
        'hold': 'utrzymaj wyraz twarzy, aż zostanie zapamiętany…',
        'locked': '{emotion}: zapamiętane',
        'speak': 'teraz mów…',
        'hearing': 'słucham…',
        'success': 'twarz i głos obok siebie',
        'no_face': 'nikogo nie widziałem',
        'no_lock': 'żaden wyraz twarzy nie trwał dość długo',
        'no_speech': 'nikt się nie odezwał',
        'changed': 'przyszedł ktoś inny',
        'no_camera': 'nic nie widzę: brak obrazu z kamery',
        'no_microphone': 'nic nie słyszę: brak dźwięku z mikrofonu',
        'stopped': 'zatrzymano',
        'broken': 'przepraszam, część mnie zawiodła',
        'emotions': ('złość', 'strach', 'radość', 'neutralny', 'smutek', 'zaskoczenie'),
    },
}


def choose_language(wanted: Sequence[str]) -> str:
    """
    Give the first wanted language that there are prompts in, otherwise English.

    :param wanted: BCP 47 tags, best first; 'de-AT' is served by 'de'.
    """
    primary = (tag.strip().replace('_', '-').split('-')[0].lower() for tag in wanted)
    return next((language for language in primary if language in PROMPTS), FALLBACK)


def prompt(language: str, key: str, emotion: str = '') -> str:
    """Give a sentence; ``emotion`` is one of EMOTIONS where the sentence names one."""
    texts = PROMPTS[language]
    name = texts['emotions'][EMOTIONS.index(emotion)] if emotion else ''
    return texts[key].format(emotion=name)
