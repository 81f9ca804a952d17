package stepca

import (
	"fmt"
	"path"
	"regexp"
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// maxTorn is the longest end of a log, in bytes, that a power cut can have left: an entry has a
// certificate or two. More than that is damage of another kind.
const maxTorn = 1 << 20

// database is the server's database, which a power cut can leave with half an entry at the end of its
// log. badger would remove that, but step-ca does not let it, and does not start any more
// (github.com/smallstep/certificates/issues/1229).
type database struct{}

// ID returns "database:step-ca".
func (database) ID() string { return "database:step-ca" }

// Validate implements [host.Resource].
func (database) Validate() lab.Problems { return nil }

// Relations implements [host.Related].
func (database) Relations() host.Relations {
	return host.Relations{Needs: []string{"path:" + databaseDirectory}}
}

// Observe implements [host.Resource].
func (d database) Observe(q *host.Query) {
	q.Unit(unitName)
	q.Probe(d.ID(), shell("database", "db", databaseDirectory))
}

// torn is what badger says of a log that has more than its entries, and its size now.
var torn = regexp.MustCompile(`Truncate Needed\. File (` + databaseDirectory +
	`/[0-9]{6}\.vlog) size: ([0-9]+) Endoffset: ([0-9]+)\s*\nnow ([0-9]+)\n`)

// Plan implements [host.Resource].
func (d database) Plan(o *host.Observation) ([]host.Op, error) {
	f := torn.FindStringSubmatch(string(o.Probe(d.ID()).Output))
	st := o.Unit(unitName)
	running := st.Active == "active" || st.Active == "reloading"
	if f == nil || running || f[2] != f[4] {
		return nil, nil // it runs, or has been corrected since
	}
	size, _ := strconv.ParseInt(f[2], 10, 64) // digits, of a file's size
	end, _ := strconv.ParseInt(f[3], 10, 64)
	if size-end > maxTorn || end <= 0 {
		return nil, &lab.Error{Op: "open database", Hint: fmt.Sprintf("restore %s from a backup, or move its files away: "+
			"ACME clients register again, and revocations are forgotten", databaseDirectory),
			Err: fmt.Errorf("%w: of the %d bytes of %s only %d can be read", lab.ErrConflict, size, f[1], end)}
	}
	copied := directory + "/" + path.Base(f[1]) + ".torn"
	return []host.Op{{Action: lab.Update, Risk: lab.RiskRestart,
		Cause: fmt.Sprintf("a power cut left half an entry, %d bytes, at the end of %s, and the server does not start; "+
			"the file is kept as %s", size-end, path.Base(f[1]), copied),
		Script: shell("truncate", "file", f[1], "size", f[2], "end", f[3], "copy", copied)}}, nil
}
