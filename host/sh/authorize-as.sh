# Writes the authorized keys of an account. The account itself writes where it could make root write
# elsewhere, with a link.
#
# user. as: the account that writes. file: where; a relative path is below the home of the account. umask: of
# what is created. temp: the new content. before: the hash of the old. script: what is run, sh/authorize.sh.
# shellcheck disable=SC2154 # the caller prepends them
h=$(getent passwd -- "$user" | cut -d: -f6)
case $file in /*) f=$file ;; *) f=${h%/}/$file ;; esac
r=0; runuser -u "$as" -- sh -c "umask $umask; $script" lab "$f" "$before" <"$temp" || r=$?
rm -f -- "$temp"; exit $r
