"""Key files: read in every form in which keys are passed on, written in the same.

    forms       which form a file has; reading and writing it
    older       the two JSON forms of earlier peers
    pkcs8       PKCS#8 PEM, versions 1 and 2
    key_file    the form of a wallet: `entity-key`
    passphrase  how a passphrase becomes bytes

Source: docs/contract/README.md (key.read), docs/protocol/1.1.md#key-file, docs/protocol/1.0.md#older-key-files.
"""

from .errors import KeyFileError as KeyFileError
from .forms import FORMS as FORMS
from .forms import KeyRead as KeyRead
from .forms import read_key as read_key
from .forms import write_key as write_key
