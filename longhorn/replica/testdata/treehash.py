# python3 treehash.py FILE prints the tree hash of an image, as replica merge does.
import hashlib, sys

def digest(data):
    return hashlib.sha256(data).digest()

pieces = []
with open(sys.argv[1], "rb") as image:
    while piece := image.read(4 << 20):
        pieces.append(digest(b"".join(digest(piece[i : i + 4096]) for i in range(0, len(piece), 4096))))
print(digest(b"".join(pieces)).hex())
