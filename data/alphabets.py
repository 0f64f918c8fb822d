"""Names of Omniglot's alphabets with their numbers of characters, one dictionary per split.

``TRAIN`` contains the 30 alphabets of ``images_background``. The 20 alphabets of
``images_evaluation`` are divided: the ten of Lake's official runs are ``TEST``, the other ten are
``VAL``, on which hyperparameters are chosen.

Source: Koch 2015 §4.1; Lake et al. 2015. Deviation D7: the paper does not name its alphabets.
"""

TRAIN: dict[str, int] = {
    "Alphabet_of_the_Magi": 20,
    "Anglo-Saxon_Futhorc": 29,
    "Arcadian": 26,
    "Armenian": 41,
    "Asomtavruli_(Georgian)": 40,
    "Balinese": 24,
    "Bengali": 46,
    "Blackfoot_(Canadian_Aboriginal_Syllabics)": 14,
    "Braille": 26,
    "Burmese_(Myanmar)": 34,
    "Cyrillic": 33,
    "Early_Aramaic": 22,
    "Futurama": 26,
    "Grantha": 43,
    "Greek": 24,
    "Gujarati": 48,
    "Hebrew": 22,
    "Inuktitut_(Canadian_Aboriginal_Syllabics)": 16,
    "Japanese_(hiragana)": 52,
    "Japanese_(katakana)": 47,
    "Korean": 40,
    "Latin": 26,
    "Malay_(Jawi_-_Arabic)": 40,
    "Mkhedruli_(Georgian)": 41,
    "N_Ko": 33,
    "Ojibwe_(Canadian_Aboriginal_Syllabics)": 14,
    "Sanskrit": 42,
    "Syriac_(Estrangelo)": 23,
    "Tagalog": 17,
    "Tifinagh": 55,
}

VAL: dict[str, int] = {
    "Angelic": 20,
    "Atemayar_Qelisayer": 26,
    "Aurek-Besh": 26,
    "Avesta": 26,
    "Keble": 26,
    "Mongolian": 30,
    "Oriya": 46,
    "Sylheti": 28,
    "Syriac_(Serto)": 23,
    "ULOG": 26,
}

TEST: dict[str, int] = {
    "Atlantean": 26,
    "Ge_ez": 26,
    "Glagolitic": 45,
    "Gurmukhi": 45,
    "Kannada": 41,
    "Malayalam": 47,
    "Manipuri": 40,
    "Old_Church_Slavonic_(Cyrillic)": 45,
    "Tengwar": 25,
    "Tibetan": 42,
}

OMNIGLOT: dict[str, dict[str, int]] = {"train": TRAIN, "val": VAL, "test": TEST}
