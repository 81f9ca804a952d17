package posix_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

func TestArchivesAsDebian(t *testing.T) {
	const tree = "mkdir -p t/d/e; echo hi >t/d/f; ln -s f t/d/l; ln t/d/f t/d/g; chmod 0751 t/d/e; chmod 4711 t/d/f; " +
		"touch -h -d @1700000000 t/d/* t/d; cd t; "
	debiantest.CompareOutput(t, real.Missing, map[string]string{
		"round trip": tree + "tar -c -f ../a.tar d; cd ..; mkdir o; tar -x -f a.tar -C o; " +
			"stat -c '%n %a %U %Y %h' o/d o/d/e o/d/f o/d/g; readlink o/d/l; cat o/d/f; echo $?",
		"list": tree + "tar -c --sort=name -f ../a.tar d; tar -t -f ../a.tar; tar -tv -f ../a.tar; " +
			"tar -tvf ../a.tar --numeric-owner; tar tf ../a.tar d/e",
		"gzip": tree + "tar czf ../a.tgz --sort=name d; tar tf ../a.tgz; cat ../a.tgz | tar -t; echo $?; " +
			"cat ../a.tgz | tar -tz; tar xzvf ../a.tgz --strip-components=1 -C d/e; ls d/e",
		"strip": tree + "tar -cf a.tar d; mkdir o; tar -x -f a.tar -C o --strip-components=1 " +
			"--no-same-owner; ls o; tar -xf a.tar --strip=5; echo $?; tar -xf a.tar --strip-components=x; echo $?",
		"owner": tree + "chown -h 1234:2345 d/f d/l; tar -cf a.tar d; mkdir o q; tar -xf a.tar -C o; " +
			"tar -xf a.tar -C q --no-same-owner; stat -c '%n %u %g %a' o/d/f o/d/l q/d/f q/d/l",
		"not there": "tar -x -f /nosuch; echo $?; echo foo >junk; tar -tf junk; echo $?; tar -tzf junk; echo $?; " +
			"tar -t </dev/null; echo $?; mkdir d; tar -cf a.tar d; tar -xf a.tar nosuch; echo $?; " +
			"tar -xf a.tar -C /nosuch; echo $?; tar -cf b.tar nosuch; echo $?",
		"usage": "tar; echo $?; tar -f a; echo $?; tar --foo; echo $?; tar -y; echo $?; tar -cf a; echo $?",
		"cut": tree + "tar -cf a.tar --sort=name d; head -c 600 a.tar >c.tar; tar -tf c.tar; echo $?; " +
			"head -c 1800 a.tar | tar -t; echo $?; gzip -c a.tar | head -c 60 | tar -tz; echo $?; rm -r d; " +
			"head -c 1537 a.tar >c.tar; tar -xf c.tar; echo $?",
		"absolute": tree + "tar -cf a.tar $PWD/d/e 2>&1 >/dev/null | cut -d' ' -f1-4; " +
			"tar -tf a.tar | sed 's,.*/t/,,'",
		"over": "mkdir d; echo a >d/f; tar -cf a.tar d; echo bb >d/f; chmod 0600 d/f; tar -xf a.tar; " +
			"cat d/f; stat -c %a d/f; rm -r d; ln -s /nosuch d; tar -xf a.tar; stat -c %F d; rm -r d; " +
			"mkdir -p d/f/x; tar -xf a.tar; echo $?; rm -r d; echo a >d; tar -xf a.tar; echo $?; cat d/f",
		"keep": "echo a >f; tar -cf a.tar f; echo b >f; tar -xkf a.tar; echo $?; cat f; " +
			"tar -xf a.tar --skip-old-files; cat f; tar -xOf a.tar",
		"exclude": tree + "tar -c --sort=name --exclude=e --exclude='l*' d | tar -t; " +
			"tar -c --sort=name --exclude d/f d | tar -t; tar -c --sort=name d | tar -t --exclude='*/g'",
		"set": tree + "tar -c --sort=name --owner=daemon --group=bin:77 --mode=go= --mtime=@0 d/f | tar " +
			"-tv; tar -c --owner=4321 --group=4322 --mtime=@0 d/f | tar -tv; tar -c --numeric-owner --mtime=@0 d/f | " +
			"tar -tv",
		"size": tree + "tar -c d | wc -c; tar -cvf a.tar d/f; tar -cf - d/f | tar -xvf -; umask 077; " +
			"mkdir o; tar -xf a.tar -C o; stat -c %a o/d o/d/f",
		"gzip files": "echo foo >a; gzip a; echo $?; ls; gzip -dc a.gz; gunzip -k a.gz; ls; cat a; gzip a; " +
			"echo $?; gunzip a; echo $?; ls; zcat a.gz; gzip -k -f a; gzip -t a.gz; echo $?; gzip <a | gzip -d; " +
			"gzip -c a | zcat",
		"gzip mistakes": "gzip nosuch; echo $?; gunzip nosuch; echo $?; echo foo >junk; gzip -d junk; echo $?; " +
			"gunzip <junk; echo $?; cp junk junk.gz; gunzip junk.gz; echo $?; mkdir d; gzip d; echo $?; gzip --foo; " +
			"echo $?; gzip <junk | head -c 12 | gunzip; echo $?; gzip junk.gz; echo $?; gunzip </dev/null; echo $?",
	}, "tar", "gzip")
}
