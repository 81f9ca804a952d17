#!/bin/sh
# treehash.sh FILE prints the tree hash of an image, as replica merge does: the SHA-256 of the SHA-256
# digests, of 32 bytes each, of the file's pieces of 4 MiB, in their order. It needs coreutils 8.31.
set -eu
[ -r "$1" ]
split -b 4194304 --filter=sha256sum -- "$1" | cut -c 1-64 | # the digest of each piece, in hexadecimal
	tr -d '\n' | tr a-f A-F | basenc --base16 -d |            # the same as bytes
	sha256sum | cut -c 1-64
