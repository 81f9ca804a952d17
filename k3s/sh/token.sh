# Prints a token.
# shellcheck disable=SC2154 # file is prepended
cat -- "$file"
