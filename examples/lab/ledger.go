package main

import (
	"context"
	"fmt"
	"os"
	"os/user"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/cloudedge/ledger"
)

// LedgerConfig is where it is recorded what was made of that which can carry no mark. Without it, nothing of that is removed.
type LedgerConfig struct {
	Bucket string `yaml:"bucket,required"` // at Google, beside the states of OpenTofu; edge.google must log in
	App    string `yaml:"app"`             // whose state it stands beside; empty means factory
}

// ledger returns the ledger of the environment, without what it logs in with.
func (l *Lab) ledger() *ledger.Ledger {
	c := l.Edge.Ledger
	app := c.App
	if app == "" {
		app = "factory"
	}
	return &ledger.Ledger{Bucket: c.Bucket, Instance: lab.App(app).In(l.Environment), Holder: holder(),
		Token: func(context.Context) (lab.Secret, error) { return lab.Secret{}, nil }}
}

// holder says who runs this, for those who wait for the lock.
func holder() string {
	who, where := "somebody", "somewhere"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		where = h
	}
	return fmt.Sprintf("%s at %s, process %d", who, where, os.Getpid())
}

func (l *Lab) ledgerProblems() (ps lab.Problems) {
	c := l.Edge.Ledger
	if c == nil {
		return nil
	}
	for _, p := range l.ledger().Validate() {
		switch p.Path {
		case "instance.app":
			p.Path = "app"
		case "instance.env":
			p.Path, p.Message = "", "the name of the environment is none of an instance: "+p.Message
		}
		ps = append(ps, p)
	}
	if l.Edge.Google == nil {
		ps = append(ps, lab.Problem{Message: "is at Google, where nobody logs in", Hint: "write edge.google"})
	}
	return ps.Under("edge.ledger")
}

// recorded plans what is recorded: owned says what is ours of that which can carry no mark, and plan makes the plan, with the IDs of
// all that it wants and whether it removes what is not.
func (l *Lab) recorded(ctx context.Context, s *site,
	plan func(owned func(id string) bool) (p *lab.Plan, ids []string, pruned bool, err error)) (*lab.Plan, error) {
	if l.Edge.Ledger == nil {
		p, _, _, err := plan(nil)
		return p, err
	}
	led, err := s.edge.ledger()
	if err != nil {
		return nil, err
	}
	book, err := led.Read(ctx)
	if err != nil {
		return nil, err
	}
	p, ids, pruned, failed := plan(book.Owns)
	if p == nil {
		return nil, failed
	}
	// Where something could not be planned, it is not known what has gone.
	p, err = book.Guard(p, ledger.Wanted{IDs: ids, Pruned: pruned && failed == nil})
	if err != nil {
		return nil, err
	}
	return p, failed
}
