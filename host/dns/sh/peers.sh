# Prints a line for each name server that answers: up SERVER. The own one is asked first, and without it nobody.
: "${self:?}" "${others:?}"
if alive "$self" >/dev/null; then
  echo "up $self"
  for s in $others; do if alive "$s" >/dev/null; then echo "up $s"; fi; done
fi
