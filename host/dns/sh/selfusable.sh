# Fails unless the name server of the machine itself can be worked with, and prints why not.
: "${self:?}"
usable "$self"
