package pgtest

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/pgprov"
)

// Subject is a server under [Conformance].
type Subject struct {
	Server    pgprov.Server             // with a superuser
	Major     int                       // 15 to 18
	Extension string                    // one that the server has files of, and no database has yet
	Log       func() string             // everything that the server logged, statements and parameters included
	Writes    func(tb testing.TB) int64 // how many transactions have changed something
}

// Conformance proves that package pgprov does what it promises on a server, and that the server is
// what the package takes it for. The same suite runs on [Server] and on PostgreSQL itself. It
// leaves roles and databases behind.
func Conformance(t *testing.T, subject Subject) {
	x := &suite{Subject: subject}
	for _, c := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"Laws", x.laws}, {"Costs", x.costs}, {"Together", x.together},
		{"Drift", x.drift}, {"Reach", x.reach}, {"Grants", x.grants}, {"Hostile", x.hostile}, {"ReadBack", x.readBack}, {"Locked", x.locked},
		{"Lookup", x.lookup}, {"MembersOnly", x.membersOnly}, {"OldLookup", x.oldLookup},
		{"Editor", x.editor}, {"Matrix", x.matrix}, {"Login", x.logins}, {"Passwords", x.passwords},
		{"Refusals", x.refusals}, {"Sweep", x.sweep}, {"Drop", x.drop},
		{"Secrets", x.secrets}, // the last, of all that was logged
	} {
		t.Run(c.name, c.run)
	}
}

// Transcript grants and revokes at random, in the names of several roles, on a server that holds
// nothing of the suite yet. Whatever comes of it must be repaired by one apply. It returns every
// statement with what it ended in, and every plan: they are the same on all servers of a version.
func Transcript(t *testing.T, subject Subject) []string {
	return (&suite{Subject: subject}).transcript(t)
}
