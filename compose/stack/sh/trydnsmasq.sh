# Tests lines for dnsmasq with that of Pi-hole's image, in a container without data or network, before the container
# that runs is replaced. An engine that does not run yet, since the same plan starts it, tests nothing.
: "${image:?}" "${file:?}"
unset DOCKER_HOST DOCKER_CONTEXT
if docker version >/dev/null 2>&1; then
  docker image inspect "$image" >/dev/null 2>&1 || docker pull -q "$image" >/dev/null || {
    echo "the image $image cannot be pulled; what runs is left alone"
    exit 1
  }
  said=$(docker run --rm -i --network none --entrypoint sh "$image" \
    -c 'cat >/tmp/lab.conf && pihole-FTL dnsmasq-test-file /tmp/lab.conf' <"$file" 2>&1) || {
    n=$(echo "$said" | sed -n 's/.* at line \([0-9]*\) of .*/\1/p' | head -n 1)
    echo "$said"
    [ -z "$n" ] || echo "the line is: $(sed -n "${n}p" "$file")"
    exit 1
  }
fi
