package compose

import (
	"strconv"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// managedFile is a file of the stack that is planned otherwise than a [host.File]: it has all of
// that but the plan.
type managedFile struct{ file host.File }

// ID implements [host.Resource].
func (m managedFile) ID() string { return m.file.ID() }

// Validate implements [host.Resource].
func (m managedFile) Validate() lab.Problems { return m.file.Validate() }

// Observe implements [host.Resource].
func (m managedFile) Observe(q *host.Query) { m.file.Observe(q) }

// ComesAfter implements [host.Ordered].
func (m managedFile) ComesAfter() []string { return m.file.ComesAfter() }

// Relations implements [host.Related].
func (m managedFile) Relations() host.Relations { return m.file.Relations() }

// Secrets implements [host.SecretHolder].
func (m managedFile) Secrets() []lab.Secret { return m.file.Secrets() }

// givenFile is a file that a service may write to. Its content is kept as it is here; its owner and
// mode are the service's: images give what they are to write to whom they run as.
type givenFile struct{ managedFile }

// Plan implements [host.Resource].
func (g givenFile) Plan(o *host.Observation) ([]host.Op, error) {
	f := g.file
	if st := o.Stat(f.Path); st.Type == host.RegularFile {
		f.Mode, f.Owner, f.Group = st.Mode, strconv.Itoa(st.UID), strconv.Itoa(st.GID)
	}
	ops, err := f.Plan(o)
	for i := range ops {
		if !f.Value.IsZero() {
			ops[i].Diff = "" // the service may have let others read it
		}
	}
	return ops, err
}
