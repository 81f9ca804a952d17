# Prints a line for each name server that answers: up SERVER. The own one is asked first, and without it nobody.
: "${self:?}" "${others:?}"
if answers "$self" '' UDP >/dev/null; then
  echo "up $self"
  for s in $others; do if answers "$s" '' UDP >/dev/null; then echo "up $s"; fi; done
fi
