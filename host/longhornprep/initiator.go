package longhornprep

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab"
	"gitea.arcodange.lab/arcodange-org/lab/host"
)

// initiatorFile holds the name; only the first line that sets it counts.
const initiatorFile = "/etc/iscsi/initiatorname.iscsi"

// initiator is a kind of resource: an initiator name that no other machine has.
type initiator struct {
	name  string   // if the machine needs another one
	taken []string // those of the other machines
}

func (initiator) ID() string { return "initiator:" + initiatorFile }

func (initiator) Validate() lab.Problems { return nil }

// Fingerprint is the same for every name: what counts for a restart of iscsid is when the file was written.
func (initiator) Fingerprint() string { return "initiator" }

func (initiator) Relations() host.Relations {
	return host.Relations{
		Provides: []string{"path:" + initiatorFile},
		Needs:    []string{"path:" + initiatorFile, "package:open-iscsi"},
		Claims:   []host.Claim{{Path: initiatorFile}},
		Files:    []string{initiatorFile},
	}
}

func (i initiator) Observe(q *host.Query) {
	q.Content(initiatorFile)
	q.Probe(i.ID(), "ls /sys/class/iscsi_session 2>/dev/null || :")
}

// readInitiator returns the name in the file; "" if it has none yet.
func readInitiator(content string) string {
	for line := range strings.Lines(content) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "InitiatorName="); ok {
			return strings.TrimSpace(name)
		}
	}
	return ""
}

func (i initiator) Plan(o *host.Observation) ([]host.Op, error) {
	old, exists := o.Content(initiatorFile)
	have := readInitiator(string(old))
	if have != "" && !slices.Contains(i.taken, have) {
		return nil, nil
	}
	if sessions := strings.Fields(string(o.Probe(i.ID()).Output)); len(sessions) > 0 {
		return nil, &lab.Error{Op: "rename initiator", Hint: "drain the node and stop k3s, and run it again",
			Err: fmt.Errorf("%w: another machine has the same name, %s, and volumes are attached: %s",
				lab.ErrConflict, lab.Printable(have), strings.Join(sessions, ", "))}
	}
	op := host.Op{Action: lab.Create, Cause: "it has no name"}
	if exists {
		op.Action = lab.Update
	}
	if have != "" {
		op.Cause = "another machine has the same name"
	}
	content := []byte("# Unique in the inventory: the name of the machine.\nInitiatorName=" + i.name + "\n")
	op.Diff = lab.Diff(initiatorFile, old, content)
	op.Payload = &host.Payload{Temp: "/etc/iscsi/.lab-initiatorname", Size: int64(len(content)), Content: content,
		Replaces: initiatorFile}
	op.Script = fmt.Sprintf("put %s %s 0600 root:root %x", op.Payload.Temp, initiatorFile, sha256.Sum256(content))
	return []host.Op{op}, nil
}
