package host

import (
	"fmt"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// script returns the lines that move the payload into place.
func (p placement) script(temp string) string {
	line := put(temp, p.path, p.mode, p.owner, p.group, p.sum, p.validate)
	if p.before == "" {
		return line
	}
	return fmt.Sprintf("same %s %s || { rm -f -- %s; exit 1; }\n", ssh.Quote(p.path), p.before, ssh.Quote(temp)) + line
}

// places sets the op's payload and the script that moves it into place.
func (op *Op) places(payload *Payload, p placement) {
	op.Payload, op.Script, op.placement = payload, p.script(payload.Temp), &p
}

// staged reports whether the op consists of moving its payload into place, which can be done for several at once. A
// script that does more is run as it is.
func (op Op) staged() bool {
	p := op.placement
	return p != nil && op.Payload != nil && validator(p.path, p.validate) == "" && op.Script == p.script(op.Payload.Temp)
}
