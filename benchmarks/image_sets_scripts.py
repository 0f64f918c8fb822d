"""The characters of the image set ``fonts`` by script, and the Debian packages of its fonts."""


def letters(first: str, last: str, without: str = "") -> str:
    """Return the assigned characters from ``first`` to ``last``, without those given."""
    return "".join(c for c in map(chr, range(ord(first), ord(last) + 1)) if c not in without)


# Characters that look like one of an earlier script, or like another of their own, are not listed.
SCRIPTS = {
    "latin-upper": letters("A", "Z"),
    "latin-lower": "abdefghijklmnpqrtuy",
    "greek-upper": "ΓΔΘΛΞΠΣΦΨΩ",
    "greek-lower": "αβγδεζηθλμξπρσςτφψω",
    "cyrillic-upper": "БДЖЗИЛУЦЧШЩЪЫЬЭЮЯЂЉЊЏЄҐ",
    "armenian-upper": letters("Ա", "Ֆ", without="ՕՍՏ"),
    "armenian-lower": letters("ա", "ֆ", without="օոհսցզ"),
    "georgian": letters("ა", "ჰ"),
    "hebrew": letters("א", "ת"),
    "arabic": "ابتثجحخدذرزسشصضطظعغفقكلمنهوي",
    "devanagari": letters("क", "ह", without="ऩऱऴ"),
    "bengali": letters("ক", "হ", without="\u09a9\u09b1\u09b3\u09b4\u09b5"),
    "malayalam": letters("ക", "ഹ", without="\u0d29"),
    "thai": letters("ก", "ฮ", without="ฤฦ"),
    "hiragana": "あいうえおかきくけこさしすせそたちつてとなにぬねの"
    "はひふほまみむめもやゆよらるれろわをん",
    "katakana": "アイウエオカキクケコサシスセソタチツテトナニヌネノ"
    "ハヒフホマミムメモヤユヨラルレロワヲン",
    "hangul": "가나다라마바사아자차카타파하고노도로모보소오조초강"
    "난달람밥삿앙장찬칼탑한국글말문물밤별산손",
}
FONT_PACKAGES = (
    *("culmus", "fonts-baekmuk", "fonts-bpg-georgian", "fonts-cabin", "fonts-cmu"),
    *("fonts-comfortaa", "fonts-comic-neue", "fonts-dancingscript", "fonts-dejavu-core"),
    *("fonts-dejavu-extra", "fonts-dkg-handwriting", "fonts-ebgaramond", "fonts-farsiweb"),
    *("fonts-freefont-ttf", "fonts-gargi", "fonts-gfs-artemisia", "fonts-gfs-didot"),
    *("fonts-gfs-neohellenic", "fonts-hosny-amiri", "fonts-ipafont-gothic"),
    *("fonts-ipafont-mincho", "fonts-junicode", "fonts-kacst", "fonts-kaushanscript"),
    *("fonts-klee", "fonts-lato", "fonts-liberation2", "fonts-linuxlibertine", "fonts-lmodern"),
    *("fonts-lobster", "fonts-lohit-beng-assamese", "fonts-lohit-beng-bengali"),
    *("fonts-lohit-deva", "fonts-morisawa-bizud-gothic", "fonts-morisawa-bizud-mincho"),
    *("fonts-mplus", "fonts-nakula", "fonts-nanum", "fonts-noto-core", "fonts-oldstandard"),
    *("fonts-open-sans", "fonts-paratype", "fonts-roboto-unhinted", "fonts-sahadeva"),
    *("fonts-samyak-deva", "fonts-sawarabi-gothic", "fonts-sawarabi-mincho"),
    *("fonts-sil-andika", "fonts-sil-annapurna", "fonts-sil-gentiumplus", "fonts-sil-lateef"),
    *("fonts-sil-scheherazade", "fonts-smc-anjalioldlipi", "fonts-smc-chilanka"),
    *("fonts-smc-dyuthi", "fonts-smc-gayathri", "fonts-smc-karumbi", "fonts-smc-keraleeyam"),
    *("fonts-smc-manjari", "fonts-smc-meera", "fonts-smc-rachana"),
    *("fonts-smc-raghumalayalamsans", "fonts-smc-suruma", "fonts-smc-uroob"),
    *("fonts-tlwg-garuda-ttf", "fonts-tlwg-kinnari-ttf", "fonts-tlwg-laksaman-ttf"),
    *("fonts-tlwg-loma-ttf", "fonts-tlwg-mono-ttf", "fonts-tlwg-norasi-ttf"),
    *("fonts-tlwg-purisa-ttf", "fonts-tlwg-sawasdee-ttf", "fonts-tlwg-typewriter-ttf"),
    *("fonts-tlwg-typist-ttf", "fonts-tlwg-typo-ttf", "fonts-tlwg-umpush-ttf"),
    *("fonts-tlwg-waree-ttf", "fonts-unfonts-core", "fonts-unfonts-extra", "fonts-urw-base35"),
    *("fonts-beng-extra", "fonts-deva-extra", "fonts-vlgothic"),
)
