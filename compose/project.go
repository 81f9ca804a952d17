package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path"
	"slices"

	"go.yaml.in/yaml/v4"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// project is what Docker runs of a stack.
type project struct {
	host.Order
	stack  Stack
	rivals []string // what other stacks of the state want too
}

// ID implements [host.Resource].
func (p project) ID() string { return p.stack.Running() }

// Validate implements [host.Resource].
func (p project) Validate() lab.Problems { return nil }

// Secrets returns the secrets of the stack.
func (p project) Secrets() (out []lab.Secret) {
	for _, f := range p.stack.Files {
		if !f.Secret.IsZero() {
			out = append(out, f.Secret)
		}
	}
	return out
}

func (p project) file(name string) string { return path.Join(p.stack.Dir, name) }

// Observe implements [host.Resource].
func (p project) Observe(q *host.Query) {
	AskEngine(q)
	askPorts(q)
	p.askSubnets(q)
	q.Clock()
	q.Content(p.file(saltFile))
	q.Sum(p.file(composeFile), [32]byte{}) // what is wanted depends on the salt
	q.Sum(p.file(path.Join(previousDir, composeFile)), [32]byte{})
}

// Plan implements [host.Resource].
func (p project) Plan(o *host.Observation) ([]host.Op, error) {
	e, err := ReadEngine(o)
	if err != nil {
		return nil, err
	}
	if err := e.usable(); err != nil {
		return nil, err
	}
	if e.Missing && len(p.stack.After) == 0 {
		return nil, &lab.Error{Op: "check docker",
			Hint: "apt-get install docker-ce docker-ce-cli docker-compose-plugin; or name in after what installs it",
			Err:  fmt.Errorf("%w: docker", lab.ErrNotFound)}
	}
	mayCome := o.CanDefer() && slices.ContainsFunc(p.stack.After, o.Pending)
	if err := p.refuse(e, mayCome); err != nil {
		return nil, err
	}
	if err := p.refuseRivals(); err != nil {
		return nil, err
	}
	if err := p.refusePorts(e, o); err != nil && !mayCome {
		return nil, err
	}
	if err := p.refuseSubnets(e, o); err != nil && !mayCome {
		return nil, err
	}
	b := &builder{p: p, e: e, salt: p.stack.usedSalt(o), now: o.Now(), script: p.stack.scripts(),
		replaced: map[string]bool{}, begun: map[string]bool{}, made: map[string]bool{}, stopped: map[string]string{},
		started: map[string]bool{}}
	b.script.moved = b.moving()
	if old, ok := o.Shown(p.file(composeFile)); ok {
		_ = yaml.Unmarshal(old, &b.before) // what cannot be read is shown as new
	}
	rendered := p.stack.render(b.salt)
	_ = yaml.Unmarshal(rendered, &b.after) // it was just encoded
	b.images()
	b.remakeNetworks()
	b.orphans()
	b.orphanNetworks(true)
	for _, s := range p.stack.services {
		b.service(s)
	}
	b.restartStopped()
	b.orphanNetworks(false)
	sum := sha256.Sum256(rendered)
	if o.Sum(p.file(path.Join(previousDir, composeFile))) != hex.EncodeToString(sum[:]) {
		b.add(host.Op{Name: "keep", Action: lab.Run, Cause: "the stack that is healthy is kept, to go back to",
			Script: b.script.keep()})
	}
	if e.Missing || len(p.absent(e)) > 0 || len(p.held(e)) > 0 {
		for i := range b.ops {
			b.ops[i].Deferred = true
		}
	}
	return b.ops, nil
}
