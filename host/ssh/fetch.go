package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/crypto/ssh"

	"gitea.arcodange.lab/arcodange-org/lab"
)

// errFetched ends a key exchange whose host key is all that was wanted.
var errFetched = errors.New("the host key was fetched")

// FetchHostKey asks the machine for its host key without logging in, as ssh-keyscan(1) does, and
// reports whether t.HostKeys know it. A key that they do not know proves nothing: it must be compared
// with the machine's own before it is trusted. Of t.Auth nothing is used, except for the jumps.
//
// Errors are those of [Dial]; [lab.ErrHostKey] means that t.HostKeys list another key, or revoke
// this one.
func FetchHostKey(ctx context.Context, t Target) (key ssh.PublicKey, known bool, err error) {
	fail := func(err error) (ssh.PublicKey, bool, error) {
		return nil, false, lab.NotSent(&lab.Error{Op: "fetch host key", Target: t.name(), Path: t.Address, Err: err})
	}
	addr, err := HostPort(t.Address)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", lab.ErrInvalid, err))
	}
	verifier, err := t.HostKeys.verifier(t.name(), addr)
	if err != nil {
		return nil, false, err
	}
	verifier.accept = "" // that is for the caller, once the key was compared
	limit := t.connectTimeout()
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: %w after %s", lab.ErrUnreachable, lab.ErrTimeout, limit))
	defer cancel()
	c, l := &Conn{target: t, sem: make(chan struct{}, 1)}, &link{}
	defer l.close()
	if err := c.extend(ctx, l, t.Jump...); err != nil {
		return nil, false, err
	}
	nc, err := c.connect(ctx, l, t, addr)
	if err != nil {
		return nil, false, err
	}
	defer context.AfterFunc(ctx, func() { nc.Close() })()
	defer nc.Close()
	_, _, _, err = ssh.NewClientConn(nc, addr, &ssh.ClientConfig{
		HostKeyCallback: func(_ string, _ net.Addr, k ssh.PublicKey) error {
			key = k
			return errFetched
		},
		HostKeyAlgorithms: verifier.algorithms(),
		ClientVersion:     "SSH-2.0-lab",
	})
	switch {
	case key == nil && ctx.Err() != nil:
		return fail(context.Cause(ctx))
	case key == nil:
		return fail(fmt.Errorf("%w: it sent none: %w", lab.ErrUnreachable, err))
	}
	err = verifier.decide(key)
	if err != nil && !verifier.unknown {
		return nil, false, err
	}
	return key, err == nil, nil
}
