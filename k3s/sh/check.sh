# Fails unless a snapshot is as it was made; prints its token.
# shellcheck disable=SC2154 # snapshot is prepended
set -e
cd -- "$snapshot"
sha256sum --status -c SHA256SUMS || { echo "the snapshot is damaged: sha256sum -c $snapshot/SHA256SUMS" >&2; exit 1; }
cat token
