package stepca

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// maxSkew is how far the clock of the machine that makes an authority may be from ours. Certificates
// that are made while it is wrong are not valid yet, or not any more, once it is right.
const maxSkew = time.Minute

// standing is what is known of the authority, over all machines.
type standing struct {
	primary  *holding
	holdings []*holding // of the machines that could be reached, the primary first
	recorded string     // fingerprint of the root that the sink keeps; empty means none
}

func refused(machine, path, hint, format string, args ...any) error {
	return &lab.Error{Op: "plan the authority", Target: machine, Path: path, Hint: hint,
		Err: fmt.Errorf("%w: %s", lab.ErrRefused, fmt.Sprintf(format, args...))}
}

// known returns the fingerprint of the one root that is accepted; "" if none is known.
func (s standing) known(c Config) string {
	for _, f := range []string{c.Fingerprint, s.recorded, s.primary.fingerprint()} {
		if f != "" {
			return f
		}
	}
	return ""
}

// judge returns whether the authority is to be made, on the primary. Making it a second time would
// silently fork the lab's trust, so that is refused when anything says that there is one. So is
// everything else that a plan could only make worse.
func (s standing) judge(c Config, complete bool) (create bool, err error) {
	if c.Fingerprint != "" && s.recorded != "" && c.Fingerprint != s.recorded {
		return false, refused("", "fingerprint", "find out which one the machines trust before you change either",
			"the config has the fingerprint %s, the root that is kept in the sink %s", c.Fingerprint, s.recorded)
	}
	var errs []error
	for _, h := range s.holdings {
		if h.has(rootFile) {
			errs = append(errs, h.refuse(s.known(c)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return false, err
	}
	p := s.primary
	if p.has(rootFile) {
		return false, errors.Join(p.refuseIncomplete(), p.refuseIntermediate())
	}
	name := p.machine.Name()
	for _, h := range s.holdings {
		if h.has(rootFile) {
			return false, refused(name, rootFile, "set primary to "+h.machine.Name()+", from which "+name+" then gets its copy",
				"it has no authority, and %s has one: another must not be made", h.machine.Name())
		}
	}
	if f := s.known(c); f != "" {
		return false, refused(name, rootFile, "restore "+directory+" from a backup, or set primary to a machine that has it",
			"it has no authority, and one with the fingerprint %s was made before: another must not be made", f)
	}
	if len(p.entries) > 0 {
		return false, refused(name, directory, "move it away",
			"it has no root certificate in certs, but other files: %s", strings.Join(p.entries, ", "))
	}
	if !complete {
		return false, refused(name, "", "bring all machines up first",
			"an authority is not made while a machine that may have one cannot be reached")
	}
	if skew := p.now.Sub(p.seen).Abs(); skew > maxSkew {
		return false, wrongClock(p.machine, skew)
	}
	return true, nil
}

// refuse returns why the machine's root is not accepted.
func (h *holding) refuse(known string) error {
	if have := h.fingerprint(); known != "" && have != known {
		if have == "" {
			have = "unreadable"
		}
		return refused(h.machine.Name(), rootFile,
			"find out which root the lab trusts, and move the other "+directory+" away",
			"its root has the fingerprint %s, not %s", have, known)
	}
	return nil
}

// refuseIntermediate returns why the machine's intermediate certificate cannot be what all instances
// sign with; nil if it is not there.
func (h *holding) refuseIntermediate() error {
	if !h.has(intermediateFile) {
		return nil
	}
	name := h.machine.Name()
	root, err := certificate(h.content[rootFile])
	var intermediate *x509.Certificate
	if err == nil {
		intermediate, err = certificate(h.content[intermediateFile])
	}
	if err == nil {
		err = intermediate.CheckSignatureFrom(root)
	}
	if err != nil {
		return refused(name, intermediateFile, "restore it from another machine", "it is not of the root: %v", err)
	}
	if h.seen.After(intermediate.NotAfter) {
		return &lab.Error{Op: "plan the authority", Target: name, Path: intermediateFile,
			Hint: "make another with the root key that the sink keeps: step certificate create --profile intermediate-ca",
			Err:  fmt.Errorf("%w: it expired on %s", lab.ErrBlocked, intermediate.NotAfter.Format(time.DateOnly))}
	}
	return nil
}

// refuseIncomplete returns an error if the machine cannot be the source of copies.
func (h *holding) refuseIncomplete() error {
	missing := slices.DeleteFunc(slices.Clone(copiedFiles), h.has)
	if len(missing) == 0 {
		return nil
	}
	return refused(h.machine.Name(), missing[0],
		"restore it from a backup, or set primary to a machine that has all of it", "its authority is incomplete: %s is "+
			"missing", strings.Join(missing, ", "))
}
