# Removes an account whose creation was cut off, with its home if that holds nothing but copies, whole or begun, of the
# skeleton; any other is kept.
#
# name: of the account. home: empty if none was to be made.
# shellcheck disable=SC2154 # the caller prepends them

# begun succeeds if everything in the home is a copy, or the beginning of one.
begun() {
  find "$home" -xdev -mindepth 1 -printf '%P\n' | while IFS= read -r f; do
    if [ -h "$home/$f" ]; then [ "$(readlink -- "$home/$f")" = "$(readlink -- "/etc/skel/$f")" ]
    elif [ -d "$home/$f" ]; then [ -d "/etc/skel/$f" ]
    else
      [ -f "$home/$f" ] && [ -f "/etc/skel/$f" ] && head -c "$(stat -c %s -- "$home/$f")" -- "/etc/skel/$f" | cmp -s -- - "$home/$f"
    fi || exit 1
  done
}

gid=$(getent group -- "$name" | cut -d: -f3)
userdel -- "$name"
# userdel removes the group of the account's name with it, which may have been there before.
[ -z "$gid" ] || getent group -- "$name" >/dev/null || groupadd -g "$gid" -- "$name"
if [ -n "$home" ] && [ -d "$home" ] && [ ! -h "$home" ] && begun; then rm -rf --one-file-system -- "$home" || :; fi
