# Gives a new account its comment, when everything else of it is on disk: until then its comment says that its creation
# was cut off, see User.create.
#
# name, comment: of the account
# shellcheck disable=SC2154 # the caller prepends them
h=$(getent passwd -- "$name" | cut -d: -f6)
[ ! -d "$h" ] || sync -f -- "$h"
usermod -c "$comment" -- "$name"
