# Prints the hash of the password of the token that the server has in its data directory.
# shellcheck disable=SC2154 # file is prepended
t=$(tr -d ' \t\r\n' <"$file")
t=${t#K10*::}
printf %s "${t#*:}" | sha256sum | cut -d ' ' -f 1
