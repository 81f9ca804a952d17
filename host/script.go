package host

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"

	"gitea.arcodange.lab/arcodange-org/lab/host/ssh"
)

// Payload is content that goes to the machine with a script, over its standard input.
type Payload struct {
	Temp    string // where it is stored, mode 0600; a file in the directory of its last place, so that it can be renamed into it
	Size    int64  // bytes
	Content []byte // the content; or else Source
	Source  string // a file here that holds it

	// Replaces is the file in whose place it will be: its ACL and its extended attributes are taken over, as far as a write in place would have
	// kept them. Empty means none.
	Replaces string
}

func (p *Payload) open() (io.ReadCloser, error) {
	if p.Source == "" {
		return io.NopCloser(bytes.NewReader(p.Content)), nil
	}
	return os.Open(p.Source)
}

// change is an Op of a plan, in its place.
type change struct {
	id       string // of the lab.Change
	resource Resource
	op       Op
	after    []int // indexes of changes that must be done first
}

// applyPreamble holds what the scripts of changes call.
//
//   - f writes a frame.
//   - like OLD FILE makes an empty FILE, mode 0600, with the ACL and the extended attributes of the file OLD, where there is one. They come
//     before the content, so that nobody whom an old ACL or mode let read reads it; the kernel takes away capabilities when it is written, and
//     put sets the mode, which bounds the ACL. cp says what it cannot keep, and that is no failure.
//   - recv SIZE FILE OLD stores that much of standard input, see like. It always reads just so much, also when the file cannot be written, so
//     that what follows on standard input is not lost.
//   - put TEMP PATH MODE OWNER:GROUP SHA256 [VALIDATION] moves a file into place. Nobody sees it half written: it is complete, owned and on
//     disk before the rename, and the rename is on disk before the change counts as done.
//   - place TEMP PATH MODE OWNER:GROUP [VALIDATION] does so with a file whose content was compared already.
//   - same FILE SHA256 fails when the file is not the one that was planned for.
//   - rolled_back NAME... reports what was rolled back, see [RolledBack].
//   - get URL FILE fetches. curl by itself tries again when a server is busy, but not when the connection is lost on the way, unless it is told to
//     do so after all errors, a wrong URL too; and it waits without end when nothing comes any more.
//   - repair lets dpkg finish what was cut off: apt-get installs nothing before that, whichever package it was.
const applyPreamble = `LC_ALL=C; export LC_ALL; DEBIAN_FRONTEND=noninteractive; export DEBIAN_FRONTEND; umask 077; cd /
bad=' '
f() { printf '\n%%s %%s\n' %[1]s "$*"; }
like() {
  if [ -e "$2" ] || [ -L "$2" ]; then rm -f -- "$2"; fi
  if [ -f "$1" ] && [ ! -L "$1" ]; then cp --attributes-only --preserve=mode,xattr -- "$1" "$2" || :; [ ! -e "$2" ] || chmod -- 0600 "$2" || rm -f -- "$2"; fi
}
recv() { like "$3" "$2"; head -c "$1" | { cat >"$2" || { cat >/dev/null; false; }; }; }
place() {
  if chown -h -- "$4" "$1" && chmod -- "$3" "$1" && { [ -z "$5" ] || sh -c "$5" lab "$1"; } && sync -- "$1" && mv -fT -- "$1" "$2" && sync -- "${2%%/*}/"
  then :; else rm -f -- "$1"; return 1; fi
}
put() {
  if h=$(sha256sum <"$1") && { [ "$h" = "$5  -" ] || { echo 'the content did not arrive whole' >&2; false; }; }
  then place "$1" "$2" "$3" "$4" "$6"; else rm -f -- "$1"; return 1; fi
}
same() {
  h=absent; if [ -f "$1" ]; then h=$(sha256sum <"$1"); h=${h%%%%  -}; fi
  [ "$h" = "$2" ] || { echo 'the file changed since it was planned: plan again' >&2; false; }
}
repair() {
  for u in /var/lib/dpkg/updates/[0-9]*; do
    [ -e "$u" ] || return 0
    dpkg --force-confdef --force-confold --configure -a
    return
  done
}
get() {
  n=0
  while :; do
    r=0; curl -fsSL --proto '=https,http' --proto-redir '=https' --retry 3 --connect-timeout 20 --speed-limit 1 --speed-time 60 -o "$2" -- "$1" || r=$?
    n=$((n + 1)); case $r$n in 18[123] | 52[123] | 55[123] | 56[123] | 92[123]) ;; *) return $r ;; esac
  done
}
rolled_back() { f U "$@"; }
skip() {
  for d in $2; do case $bad in *" $d "*) f K "$1" "$d"; bad="$bad$1 "; return 0;; esac; done
  return 1
}
ended() { f E "$1" "$2"; [ "$2" = 0 ] || bad="$bad$1 "; }
`

// The batches: changes that one command makes together faster than one by one. systemctl enable, for one, lets systemd read all its files
// again each time.
const batchInstall, batchRemove, batchEnable = "install", "remove", "enable"

// batchCommands are the commands of the batches; the items follow.
var batchCommands = map[string]string{
	batchInstall: "repair && " + aptGet + "install --no-install-recommends --allow-downgrades --allow-change-held-packages --",
	batchRemove:  aptGet + "remove --",
	batchEnable:  "systemctl enable --",
}

// applyScript returns the script that makes the changes in order and tells of each by frames: "S i" when it begins, followed by what it
// prints, then "E i status"; or "K i d" when it is skipped because change d was not done; and "D" at the end.
func applyScript(nonce string, changes []change) string {
	var b strings.Builder
	fmt.Fprintf(&b, applyPreamble, nonce)
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	done := make([]bool, len(changes))
	for i, c := range changes {
		if done[i] {
			continue
		}
		deps := make([]string, len(c.after))
		for n, d := range c.after {
			deps[n] = fmt.Sprint(d)
		}
		if c.op.batch != "" {
			if batch := batchFrom(changes, i, done); len(batch) > 1 {
				writeBatch(p, changes, batch)
				for _, j := range batch {
					done[j] = true
				}
				continue
			}
		}
		// Evaluated where it is run, so that a shell that cannot read it gives up this change alone.
		body := ssh.Quote(fmt.Sprintf("c() {\nset -e\n%s\n}", c.op.Script))
		receive := ""
		drop := ""
		if pl := c.op.Payload; pl != nil {
			receive = fmt.Sprintf("if recv %d %s %s 2>&1; then", pl.Size, ssh.Quote(pl.Temp), ssh.Quote(pl.Replaces))
			drop = fmt.Sprintf("head -c %d >/dev/null", pl.Size)
		}
		p("if skip %d %s; then :\n%s\nelse f S %d", i, ssh.Quote(strings.Join(deps, " ")), drop, i)
		if receive != "" {
			p("%s", receive)
		}
		p("( eval %s\nc ) </dev/null 2>&1\nended %d $?", body, i)
		if receive != "" {
			p("else ended %d 1\nfi", i)
		}
		p("fi")
	}
	p("f D")
	return b.String()
}

// RolledBack returns the command by which the script of an [Op] tells that it took back what the plan had made before it, as a rollback does: all
// changes of resources with these IDs, or single ones, as the ID of the resource, a slash and the Op's Name. Those of them that were made are
// then reported as rolled back, and those that were not stay what they are.
func RolledBack(names ...string) string {
	if len(names) == 0 {
		return ":"
	}
	words := []string{"rolled_back"}
	for _, n := range names {
		words = append(words, hex.EncodeToString([]byte(n))) // a name may hold anything, a frame's header only words
	}
	return strings.Join(words, " ")
}

// batchFrom returns the changes from i on that can be made by one command with it: the same batch, and nothing between them that one of
// them comes after.
func batchFrom(changes []change, i int, done []bool) []int {
	batch := []int{i}
	in := map[int]bool{i: true}
	for j := i + 1; j < len(changes); j++ {
		c := changes[j]
		if done[j] || c.op.batch != changes[i].op.batch {
			continue
		}
		early := true
		for _, d := range c.after {
			if d >= i && !in[d] {
				early = false
			}
		}
		if early {
			batch, in[j] = append(batch, j), true
		}
	}
	return batch
}

// writeBatch writes the changes of a batch: all at once, and when that fails one by one, so that the one that is wrong is named and the
// others are made.
func writeBatch(p func(string, ...any), changes []change, batch []int) {
	p("set --")
	items := make([]string, 0, len(batch))
	for _, i := range batch {
		var deps []string
		for _, d := range changes[i].after {
			deps = append(deps, fmt.Sprint(d))
		}
		items = append(items, ssh.Quote(changes[i].op.item))
		p("c%d() {\nset -e\n%s\n}", i, changes[i].op.Script)
		p("if skip %d %s; then :; else set -- \"$@\" %d; fi", i, ssh.Quote(strings.Join(deps, " ")), i)
	}
	p("all() {\nset -e\n%s %s\n}", batchCommands[changes[batch[0]].op.batch], strings.Join(items, " "))
	p("if [ $# = %d ]; then", len(batch))
	p("for i; do f S $i; done\n( all ) </dev/null 2>&1; r=$?")
	p("if [ $r = 0 ]; then for i; do ended $i 0; done; set --; fi\nfi")
	p("for i; do f S $i; ( c$i ) </dev/null 2>&1; ended $i $?; done")
}
