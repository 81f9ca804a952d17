package host

import (
	"fmt"
	"slices"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// applyScript returns the script that makes the changes in order and reports each in frames: "S i"
// when it starts, followed by its output, then "E i status"; "C" if the output that follows is all that
// its error should contain; "K i d" if it is skipped because change d was not done; and "D" at the end.
//
// journal is the file that lists the temporary files meanwhile, see [leftovers].
func applyScript(nonce, journal string, changes []change) string {
	var b strings.Builder
	b.WriteString(shell("apply", "nonce", nonce))
	call := func(function string, args ...string) { b.WriteString(function + words(args) + "\n") }
	temps := temporaries(changes)
	if len(temps) > 0 {
		call("begin", append([]string{journal}, temps...)...)
	}
	done := make([]bool, len(changes))
	staged := map[int]bool{} // since the last commit
	for i, c := range changes {
		if done[i] {
			continue
		}
		stage := c.op.staged()
		if len(staged) > 0 && (!stage || slices.ContainsFunc(c.after, func(d int) bool { return staged[d] })) {
			call("commit")
			clear(staged)
		}
		if stage {
			staged[i] = true
			p, to := c.op.Payload, c.op.placement
			call("stage", fmt.Sprint(i), numbers(c.after), fmt.Sprint(p.Size), p.Temp, p.Replaces,
				to.path, to.mode.String(), to.owner+":"+to.group, fmt.Sprintf("%x", to.sum), to.before)
			continue
		}
		if c.op.Batch != "" {
			for _, j := range batchFrom(changes, i, done) {
				done[j] = true
				call("add_item", fmt.Sprint(j), numbers(changes[j].after), ssh.Quote(changes[j].op.Item))
			}
			call("make_batch", c.op.Batch)
			continue
		}
		args := []string{fmt.Sprint(i), numbers(c.after), c.op.Script}
		if p := c.op.Payload; p != nil {
			args = append(args, fmt.Sprint(p.Size), p.Temp, p.Replaces)
		}
		call("make_change", args...)
	}
	if len(staged) > 0 {
		call("commit")
	}
	if len(temps) > 0 {
		call("finish", temps...)
	}
	b.WriteString("frame D\n")
	return b.String()
}

// numbers returns the indexes separated by spaces.
func numbers(indexes []int) string {
	return strings.Trim(fmt.Sprint(indexes), "[]")
}

// batchFrom returns i and the later changes that can be made by one command with it: those of the
// same batch that come after no change between i and themselves, other than batch members.
func batchFrom(changes []change, i int, done []bool) []int {
	batch := []int{i}
	for j := i + 1; j < len(changes); j++ {
		c := changes[j]
		if done[j] || c.op.Batch != changes[i].op.Batch {
			continue
		}
		if !slices.ContainsFunc(c.after, func(d int) bool { return d >= i && !slices.Contains(batch, d) }) {
			batch = append(batch, j)
		}
	}
	return batch
}
