# Pulls an image, and prints the digest that the pull says: an image may have many, and those of
# former pulls stay with it.
: "${image:?}"
if said=$(docker pull "$image"); then printf '%s\n' "$said" | sed -n 's/^Digest: /pulled /p'; fi
docker image inspect --format 'image {"id":{{json .ID}},"digests":{{json .RepoDigests}}}' "$image" 2>/dev/null || :
