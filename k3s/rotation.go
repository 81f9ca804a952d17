package k3s

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// PlanRotateToken plans that the tokens of servers and of agents become others. The new ones are kept in the sink before
// anything is changed, as NAME-after-HASH, where HASH are the first 8 digits of the SHA-256 of the old one; then a server
// is asked to encrypt the bootstrap data with the new one; every node gets its token and is restarted, servers first, one
// at a time, each ready before the next; at the end the sink has them under [ServerToken] and [AgentToken]. The old token
// of the servers stays in the sink as k3s-token-HASH: [PlanRestore] needs it for the snapshots that were made with it.
//
// Cut off anywhere, it is continued by another PlanRotateToken: the token that the cluster has is observed. Until then
// [Plan] is refused. Meanwhile a server that is not restarted yet could not start with the token it has, if a power cut
// restarts it. Where no server is left that answers, the plan brings them up with the new token, beside an
// [lab.ErrBlocked]: apply it, and rotate again.
func PlanRotateToken(ctx context.Context, machines []*host.Machine, c Config, sink lab.Replacer) (*lab.Plan, error) {
	if sink == nil {
		return nil, lab.Problems{{Path: "sink", Message: "there is none", Set: lab.Setting{Name: lab.SettingSink}}}.Err()
	}
	p, err := newPlanner(machines, c, sink)
	if err != nil {
		return nil, err
	}
	nodes, away, err := p.look(ctx)
	if err != nil || away != nil {
		return nil, firstOf(err, away) // a node that is away would keep the old token
	}
	if err := c.judge(nodes); err != nil {
		return nil, err
	}
	keys := &lab.Keyring{Sink: sink}
	r, err := newRotation(ctx, p, keys, nodes)
	if err != nil {
		return nil, err
	}
	t := r.next
	t.caHash = nodes[0].caHash
	if t.join, err = c.joins(nodes); err != nil {
		return nil, err
	}
	if nodes[0].members == nil {
		plan, err := r.revive(ctx, nodes, t)
		return plan, errors.Join(err, nodes[0].refuse(lab.ErrBlocked, "apply the plan if there is one, or bring it up; and plan again",
			"the API of the cluster does not answer"))
	}
	then, err := p.next(ctx, nodes, t)
	if err != nil {
		return nil, err
	}
	steps := []lab.Step{r.keep(), r.rotate("k3s/keep")}
	last := []string{steps[1].Name}
	for _, s := range then.Steps() {
		s.After = append(slices.Clone(s.After), steps[1].Name)
		steps, last = append(steps, s), append(last, s.Name)
	}
	plan, err := lab.NewPlan(append(steps, r.finish(last...))...)
	if err != nil {
		return nil, err
	}
	return keys.Plan(plan)
}

// rotation is a change of tokens that goes on.
type rotation struct {
	c         Config
	server    *node // that is asked
	sink      lab.Replacer
	old, next tokens
}

// newRotation returns what is to become of the tokens that the sink has. Every server must have one of the two.
func newRotation(ctx context.Context, p *planner, keys *lab.Keyring, nodes []*node) (*rotation, error) {
	r := &rotation{c: p.c, server: nodes[0], sink: p.sink.(lab.Replacer)}
	var err1, err2, err3, err4 error
	if r.old.server, err1 = p.sink.Get(ctx, ServerToken); err1 != nil {
		return nil, r.missing(err1)
	}
	if r.old.agent, err2 = p.sink.Get(ctx, AgentToken); err2 != nil {
		return nil, r.missing(err2)
	}
	r.next.server, err3 = keys.Secret(ctx, successor(ServerToken, r.old.server), nil)
	r.next.agent, err4 = keys.Secret(ctx, successor(AgentToken, r.old.agent), nil)
	if err := errors.Join(err3, err4, checkToken(ServerToken, r.next.server), checkToken(AgentToken, r.next.agent)); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if n.running() && n.version != p.c.Version {
			return nil, n.refuse(lab.ErrRefused, "upgrade the cluster first", "it has %s", n.version)
		}
		if h := n.hashes["server"]; h != "" && h != hashOf(r.old.server) && h != hashOf(r.next.server) {
			return nil, n.refuse(lab.ErrRefused, "put the token of "+p.c.dataDir()+"/server/token into the sink",
				"it has another token than the sink")
		}
	}
	// A server that was restarted otherwise, while a rotation was cut off, does not start with the old token. It is the
	// first that has the new one that has the datastore open.
	if i := slices.IndexFunc(nodes, func(n *node) bool { return n.members != nil && n.hashes["server"] == hashOf(r.next.server) }); i >= 0 {
		r.server = nodes[i]
	}
	return r, nil
}

// revive plans that servers which a power cut has restarted in the midst of a rotation start with the new token, all at once,
// since etcd needs most of them: where one was asked for it already, they do not start with the old one. nil if none was.
func (r *rotation) revive(ctx context.Context, nodes []*node, t tokens) (*lab.Plan, error) {
	next := hashOf(r.next.server)
	if !slices.ContainsFunc(nodes, func(n *node) bool { return n.hashes["server"] == next }) {
		return nil, nil
	}
	var steps []lab.Step
	var before []string
	for _, n := range nodes {
		if !r.c.server(n.name) || !n.running() {
			continue
		}
		own, err := n.machine.Plan(ctx, host.State{host.File{Path: tokenFile, Value: t.file(r.c, n.name)}})
		if err != nil {
			return nil, err
		}
		for _, s := range own.Steps() {
			steps, before = append(steps, s), append(before, s.Name)
		}
	}
	for _, n := range nodes {
		if r.c.server(n.name) && n.running() {
			steps = append(steps, r.c.start(n, "it could not start with the old token", before...))
		}
	}
	return lab.NewPlan(steps...)
}

func (r *rotation) missing(err error) error {
	if errors.Is(err, lab.ErrNotFound) {
		return r.server.refuse(lab.ErrRefused, "plan and apply the nodes first, which keeps them", "the sink has not the tokens of the cluster")
	}
	return err
}

func hashOf(token lab.Secret) string { return sum(password(token.Reveal())) }

// kept is the name under which the sink keeps a token that was replaced.
func kept(token lab.Secret) string { return ServerToken + "-" + hashOf(token)[:8] }

// successor is the name under which the sink keeps a token until it is in use.
func successor(name string, old lab.Secret) string { return name + "-after-" + hashOf(old)[:8] }

// keep returns the step that keeps the old token, for the snapshots.
func (r *rotation) keep() lab.Step {
	id := "k3s/keep"
	return lab.Step{Name: id, Changes: []lab.Change{{ID: id, Action: lab.Create,
		Cause: "the token of the snapshots that are there is kept as " + kept(r.old.server)}},
		Run: func(ctx context.Context, rec *lab.Recorder) error {
			rec.Start(id)
			err := r.sink.Prove(ctx)
			if err == nil {
				err = r.sink.Put(ctx, kept(r.old.server), r.old.server)
			}
			rec.Done(id, err)
			return err
		}}
}

// finish returns the step that makes the new tokens those of the cluster in the sink.
func (r *rotation) finish(after ...string) lab.Step {
	id := "k3s/tokens"
	return lab.Step{Name: id, After: after, Changes: []lab.Change{{ID: id, Action: lab.Update,
		Cause: "all nodes have the new tokens: they are kept as " + ServerToken + " and " + AgentToken}},
		Run: func(ctx context.Context, rec *lab.Recorder) error {
			rec.Start(id)
			err := r.sink.Replace(ctx, AgentToken, r.old.agent, r.next.agent)
			if err == nil {
				err = r.sink.Replace(ctx, ServerToken, r.old.server, r.next.server)
			}
			rec.Done(id, err)
			return err
		}}
}

// rotate returns the step that has the bootstrap data encrypted with the new token.
func (r *rotation) rotate(after ...string) lab.Step {
	id := "k3s/rotate/" + r.server.name
	return lab.Step{Name: id, After: after, Changes: []lab.Change{{ID: id, Action: lab.Update, Risk: lab.RiskRestart,
		Cause: "the bootstrap data in the datastore are encrypted with the new token of the servers"}},
		Run: func(ctx context.Context, rec *lab.Recorder) error {
			rec.Start(id)
			err := r.encrypt(ctx)
			rec.Done(id, err)
			return err
		}}
}

// encrypt asks for the new token with the one that the server has now. Where that is the new one, the request is repeated:
// it fails if the datastore has the old one yet, since k3s was cut off between its files and the datastore; it is
// restarted then, with the old token that its configuration has still, and asked again.
func (r *rotation) encrypt(ctx context.Context) error {
	have, err := r.have(ctx)
	if err != nil {
		return err
	}
	if have == hashOf(r.old.server) {
		return r.ask(ctx, r.old.server)
	}
	failed := r.ask(ctx, r.next.server)
	if failed == nil || r.server.hashes["own"] != hashOf(r.old.server) {
		return failed
	}
	if _, err := run(ctx, r.server.machine, "restart k3s", "systemctl restart k3s.service"); err != nil {
		return errors.Join(failed, err)
	}
	if have, err := r.have(ctx); err != nil || have != hashOf(r.old.server) {
		return errors.Join(failed, err)
	}
	return r.ask(ctx, r.old.server)
}

// have returns the hash of the token that the server has.
func (r *rotation) have(ctx context.Context) (string, error) {
	out, err := run(ctx, r.server.machine, "look at token", shell("rotated", "file", r.c.dataDir()+"/server/token"))
	return strings.TrimSpace(out), err
}

// ask does what "k3s token rotate" does (pkg/cli/token), which would have the new token among its arguments, where every
// process of the machine could read it: through the SSH connection, from the server that has the cluster's CA.
func (r *rotation) ask(ctx context.Context, with lab.Secret) error {
	fail := func(err error) error {
		return &lab.Error{Op: "rotate token", Target: r.server.name, Hint: "rotate it again: what is done is found", Err: err}
	}
	ca, err := run(ctx, r.server.machine, "read CA", shell("token", "file", r.c.dataDir()+"/server/tls/server-ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(ca)) {
		return fail(fmt.Errorf("%w: server-ca.crt has no certificate", lab.ErrInvalid))
	}
	conn, err := r.server.machine.Conn(ctx)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"newToken": password(r.next.server.Reveal())})
	if err != nil {
		return err
	}
	// The machine's own address, which its boundary allows; the certificate is for the loopback address too.
	address, err := ssh.HostPort(conn.Target().Address)
	if err != nil {
		return err
	}
	at, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://"+net.JoinHostPort(at, "6443")+"/v1-k3s/token", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.SetBasicAuth("server", password(with.Reveal()))
	client := &http.Client{Transport: &http.Transport{DialContext: conn.DialContext, DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}}}
	res, err := client.Do(req)
	if err != nil {
		return fail(fmt.Errorf("%w: %w", lab.ErrUnreachable, err))
	}
	defer res.Body.Close() // it was only read
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		return fail(fmt.Errorf("%s: %s", res.Status, lab.Mask(lab.Printable(strings.TrimSpace(string(text))), with, r.next.server)))
	}
	return nil
}
