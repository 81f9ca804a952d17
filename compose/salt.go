package compose

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// saltFile is in the stack's directory, and only root reads it. Its content is the key of the
// digests of secrets in the labels of containers, which everybody reads who may use docker: without
// it, whoever guesses a secret cannot see whether the guess is right.
const saltFile = ".lab-salt"

var saltPattern = regexp.MustCompile(`^[0-9a-f]{64}\n?$`)

// newSalt returns 64 random hexadecimal digits.
func newSalt() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	return hex.EncodeToString(b)
}

// saltOf returns the salt of a stack that a machine has, "" when it has none that can be used.
func (s Stack) saltOf(o *host.Observation) string {
	b, _ := o.Content(path.Join(s.Dir, saltFile))
	st := o.Stat(path.Join(s.Dir, saltFile))
	if !saltPattern.Match(b) || st.UID != 0 || st.Mode&0o077 != 0 {
		return "" // what others could read is worth nothing
	}
	return string(b[:64])
}

// mark tells one salt from another, and nothing of it.
func mark(salt string) string {
	h := sha256.Sum256([]byte("lab salt " + salt))
	return hex.EncodeToString(h[:6])
}

// salted returns what a label holds of a secret.
func salted(salt, text string) string {
	h := hmac.New(sha256.New, []byte(salt))
	h.Write([]byte(text)) // a hash accepts any write
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// saltKeeper is the file of the salt. It is made once, by the first plan.
type saltKeeper struct {
	managedFile
	stack Stack
}

func (s Stack) saltKeeper() saltKeeper {
	return saltKeeper{stack: s, managedFile: managedFile{host.File{Path: path.Join(s.Dir, saltFile), Mode: 0o600,
		Value: lab.NewSecret(s.salt + "\n")}}}
}

// Observe implements [host.Resource].
func (k saltKeeper) Observe(q *host.Query) {
	k.file.Observe(q)
	q.Content(k.file.Path)
}

// Plan implements [host.Resource].
func (k saltKeeper) Plan(o *host.Observation) ([]host.Op, error) {
	if k.stack.saltOf(o) != "" {
		return nil, nil
	}
	ops, err := k.file.Plan(o)
	for i := range ops {
		if ops[i].Action != lab.Create {
			ops[i].Cause = "is not one that only root could read: the digests of secrets get a new one"
		}
	}
	return ops, err
}

// modelFile is the compose.yaml on the machine, whose labels depend on the salt there.
type modelFile struct {
	managedFile
	stack Stack
}

func (s Stack) modelFile() modelFile {
	return modelFile{stack: s, managedFile: managedFile{host.File{Path: path.Join(s.Dir, composeFile), Mode: 0o640,
		Content: string(s.Render()), ValidateWith: s.validateScript()}}}
}

// Observe implements [host.Resource].
func (m modelFile) Observe(q *host.Query) {
	q.Sum(m.file.Path, [32]byte{}) // what is wanted depends on the salt
	q.Content(path.Join(m.stack.Dir, saltFile))
}

// Plan implements [host.Resource].
func (m modelFile) Plan(o *host.Observation) ([]host.Op, error) {
	f := m.file
	f.Content = string(m.stack.render(m.stack.usedSalt(o)))
	return f.Plan(o)
}

// usedSalt returns the salt that the machine has, or else the one that it gets.
func (s Stack) usedSalt(o *host.Observation) string {
	if salt := s.saltOf(o); salt != "" {
		return salt
	}
	return s.salt
}
