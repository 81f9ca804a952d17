# Fails unless another name server answers.
: "${others:?}"
for s in $others; do if alive "$s"; then exit 0; fi; done
echo 'no other Pi-hole answers: this one is left alone, or there would be no DNS'
exit 1
