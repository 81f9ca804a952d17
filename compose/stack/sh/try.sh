# Tries a configuration of PostgreSQL: a server of the image, without data or network, runs a script
# that has it as its standard input. An image that is not on the machine yet is not tried.
: "${image:?}" "${script:?}" "${file:?}"
! docker image inspect "$image" >/dev/null 2>&1 ||
  docker run --rm -i --network none --user postgres --entrypoint sh "$image" -c "$script" <"$file"
