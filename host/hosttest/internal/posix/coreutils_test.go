package posix_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// coreutilsScripts are for the tools that work on files.
var coreutilsScripts = []string{
	`echo a >f; cat f nosuch f; echo $?; cat <f; echo b | cat f - f; cat -n f; cat -Z; echo $?; cat --foo; ` +
		`echo $?; cat d; mkdir d; cat d; echo $?`,
	`seq 20 >f; head f; head -n 3 f; head -3 f; head -c 5 f; head -n -17 f; head -c -45 f; head -n x f; echo $?; ` +
		`head -q -n 1 f f; head -n 1 f f; head nosuch; echo $?; head -c 2K f | wc -c`,
	`seq 20 >f; tail -n 2 f; tail -n +19 f; tail -c 5 f; tail -c +48 f; tail -3 f; printf 'a\nb' | tail -n 1; ` +
		`tail -n 0 f; tail nosuch; echo $?; tail -q -n 1 f f; tail -n 1 f f; tail -n x f`,
	`echo a | tee x y; cat x y; echo b | tee -a x >/dev/null; cat x; echo c | tee nosuch/x; echo $?; tee --foo`,
	`printf 0123456789 >f; dd if=f bs=1 skip=2 count=3 status=none; echo; dd if=f of=g bs=4 count=1 status=none; ` +
		`cat g; echo; printf XY | dd of=f bs=1 seek=3 conv=notrunc status=none; cat f; dd if=nosuch; echo $?; ` +
		`dd foo=bar; echo $?; dd if=f of=h conv=fsync status=none; cmp f h; echo $?; dd conv=foo; echo $?; ` +
		`dd bs=x; echo $?`,
	`echo a >a; cp a b; cat b; cp a nosuch/x; echo $?; cp nosuch b; echo $?; mkdir d; cp a d; ls d; cp d e; ` +
		`echo $?; cp -r d e; ls e; cp a a; echo $?; cp; echo $?; cp a; echo $?; cp -T a d; echo $?; ` +
		`cp a b nosuchdir; echo $?; mkdir z; cp -r z z/x; echo $?; cp -n b d/a; cp -- a -b; ls; cp -Q a b; echo $?`,
	`echo a >a; ln -s a l; cp l c; stat -c %F c; cp -P l p; stat -c '%F %N' p; cp -d l q; cp -a l r; ` +
		`readlink q r; mkdir d; cp -a l d; ls d; ln -s nosuch b; cp b x; echo $?; cp a b; echo $?; cat nosuch`,
	`umask 022; echo a >a; chmod 640 a; touch -d @1000 a; cp -p a b; stat -c '%a %Y' b; cp -a a c; ` +
		`stat -c '%a %Y' c; cp a d; stat -c %a d; chmod 4755 a; cp a e; stat -c %a e; cp --preserve=mode a f; ` +
		`stat -c %a f; cp -u a b; echo $?; chown 1:2 a; cp -p a g; stat -c '%u:%g %a' g`,
	`mkdir -p a/b; echo x >a/f; ln -s f a/l; chmod 700 a/b; cp -r a c; find c -printf '%p %y %m\n' | sort; ` +
		`mkdir e; cp -r a e; ls e; echo q >file; cp -r a file; echo $?; cp file a/b/; ls a/b; cp -rT a e; ls e`,
	`echo a >a; mv a b; ls; mv nosuch x; echo $?; mkdir d; mv b d; ls d; mv d/b .; mv d e; ls; mv e e/x; ` +
		`echo $?; echo c >c; mv c b; cat b; mv -n b c; mv b nosuch/x; echo $?; mv -T b e; echo $?; mkdir f; ` +
		`touch f/x; mkdir e/f; touch e/f/y; mv f e; echo $?; mv b b; echo $?; mv; echo $?; mv e b; echo $?`,
	`echo a >a; ln a b; stat -c %h a; ln -s a l; ln -s a l; echo $?; ln -sf b l; readlink l; mkdir d; ` +
		`ln -s d dl; ln -sfn a dl; readlink dl; ln -s d dl2; ln -sf ../a dl2; ls d; ln nosuch x; echo $?; ` +
		`ln d x; echo $?; ln -s x y z; echo $?; ln -sT a d; echo $?; ln a d; ls d; ln; echo $?; ` +
		`ln -s nosuchtarget; readlink nosuchtarget; ln a a; echo $?; ln -f a a; echo $?; ln -sr d/a rr; ` +
		`readlink rr`,
	`touch a; rm a; rm a; echo $?; rm -f a; echo $?; mkdir d; rm d; echo $?; rm -r d; mkdir -p d/e; touch d/e/f; ` +
		`rm -rf d nosuch; echo $?; rm; echo $?; rm -f; echo $?; rm -r .; echo $?; rm -r ..; echo $?; ` +
		`rm -d nosuch; mkdir d; rm -d d; mkdir d; touch d/x; rm -d d; echo $?; touch -- -x; rm -x; echo $?; ` +
		`rm -- -x; rm -v d/x; rm -rv d`,
	`mkdir a; rmdir a; rmdir a; echo $?; mkdir -p a/b/c; rmdir -p a/b/c; ls; mkdir d; touch d/x; rmdir d; ` +
		`echo $?; rmdir --ignore-fail-on-non-empty d; echo $?; touch f; rmdir f; echo $?; mkdir -p p/q; ` +
		`touch p/x; rmdir -p p/q; echo $?; rmdir; echo $?`,
	`mkdir a; mkdir a; echo $?; mkdir -p a/b a; mkdir x/y; echo $?; mkdir -m 700 m; stat -c %a m; ` +
		`mkdir -p -m 711 n/o; stat -c %a n n/o; umask 077; mkdir -p u/v; stat -c %a u u/v; touch f; mkdir f; ` +
		`echo $?; mkdir -p f; echo $?; mkdir f/g; echo $?; mkdir -p f/g; echo $?; mkdir -v z; mkdir; echo $?; ` +
		`mkdir -m zzz q; echo $?; mkdir -m u=rwx,go=rx s; stat -c %a s; mkdir -m 4755 t; stat -c %a t`,
	`f=$(mktemp); case $f in /tmp/tmp.??????????) echo ok;; esac; stat -c '%a %F' $f; rm $f; ` +
		`f=$(mktemp -p . x.XXXX); case $f in ./x.????) echo ok;; *) echo $f;; esac; mktemp -d ./dXXX >/dev/null; ` +
		`ls -d d*| wc -l; mktemp xx; echo $?; mktemp -p nosuch aXXX; echo $?; mktemp ./aXXXb | wc -c; ` +
		`mktemp nosuch/aXXX; echo $?; mktemp a b; echo $?; mktemp -d nosuch/aXXX; echo $?; ` +
		`TMPDIR=. mktemp | wc -c; mktemp -q nosuch/XXX; echo $?; mktemp --suffix=.s ./qXXXX | wc -c; ` +
		`stat -c %a d???; rm -r a* d* q* tmp* x*`,
	`touch a; touch -d @1234567890 a; stat -c %Y a; touch -d '2020-01-02 03:04:05' b; stat -c %Y b; ` +
		`touch -r a c; stat -c %Y c; touch -c nosuch; echo $?; ls nosuch; touch nosuch/x; echo $?; ` +
		`touch -t 202001020304.05 d; stat -c %y d; ln -s nosuch l; touch -h -d @5 l; stat -c %Y l; ` +
		`touch -d 'not a date' a; echo $?; touch; echo $?; touch -m -d @7 a; stat -c '%X %Y' a; ` +
		`touch -a -d @9 a; stat -c '%X %Y' a`,
	`touch f; for m in 644 u+x g-r,o=w a=rx +x -w u=g g=u o+t u+s g+s 4755 0 =r,u+w a-s ug=rw,o=; do chmod $m f; ` +
		`stat -c "$m %a" f; done; mkdir d; for m in g+s 755 u+s 00755 1777 -t a=rwx =; do chmod $m d; ` +
		`stat -c "$m %a" d; done; chmod 999 f; echo $?; chmod u+q f; echo $?; chmod; echo $?; chmod 644; ` +
		`echo $?; chmod 644 nosuch; echo $?; chmod +x; echo $?`,
	`mkdir -p d/e; touch d/f d/e/g; chmod -R u=rwX,go= d; find d -printf '%p %m\n' | sort; ln -s d l; ` +
		`chmod 711 l; stat -c %a d; ln -s nosuch b; chmod 644 b; echo $?; chmod -R 700 nosuch; echo $?; ` +
		`chmod --reference=d d/f; stat -c %a d/f; umask 077; chmod +r d/f; stat -c %a d/f; chmod a+r d/f; ` +
		`stat -c %a d/f`,
	`touch f; chown 1:2 f; stat -c %u:%g f; chown daemon f; stat -c %U:%G f; chown :sys f; stat -c %U:%G f; ` +
		`chown daemon: f; stat -c %U:%G f; chgrp adm f; stat -c %G f; chown nosuch f; echo $?; ` +
		`chown daemon:nosuch f; echo $?; chown daemon nosuch; echo $?; ln -s f l; chown -h 5 l; stat -c %u l f; ` +
		`chown 6 l; stat -c %u l f; chown; echo $?; chown daemon; echo $?; chgrp nosuch f; echo $?; mkdir d; ` +
		`touch d/x; chown -R 7:8 d; stat -c %u:%g d d/x; chmod 6755 f; chown 0 f; stat -c %a f; chown '' f; ` +
		`echo $?; chown : f; echo $?; chown +9 f; stat -c %u f; ln -s nosuch b; chown 1 b; echo $?`,
	`touch f; echo abc >g; mkdir d; ln -s g l; ln -s 'a b' "q'q"; stat -c '%n %F %s %a %A %h %f' f g d l; ` +
		`stat -c %N f l "q'q"; stat -L -c '%n %F' l; stat --printf '%n\t%s\0\n' g | od -c | head -2; ` +
		`stat nosuch; echo $?; stat -c '%% %q' g; stat; echo $?; stat -c '%10s|%-10s|%010s' g g; ` +
		`stat -c %U:%G:%u:%g g; stat -Q; echo $?; stat -c '%X' -- f >/dev/null; echo $?`,
	`touch -d @1000000000.123456789 f; stat -c '%Y %y %.3Y %.Y %X' f; TZ=UTC stat -c %y f; touch 'a
b' 'tab	x' 'é' "it's" 'sp ace' '-dash' '$x' 'a"b'; stat -c %N -- *; stat -c %n -- *; ls; rm nosuch 'no
such' "it's no" 'é!' 'a:b'`,
	`touch a; ln -s a l; ln -s l m; ln -s nosuch b; ln -s loop loop; readlink l; readlink a; echo $?; ` +
		`readlink -f m; readlink -f b; readlink -e b; echo $?; readlink -f x/y; echo $?; readlink -m x/y/../z; ` +
		`readlink -n l; echo; readlink l m; readlink -z l | od -c; readlink -f loop; echo $?; readlink; echo $?; ` +
		`readlink -v a; echo $?; cat loop; echo $?; readlink -e a/x; echo $?`,
	`mkdir -p d/e; touch d/f; ln -s d/e l; realpath d/f; realpath l; realpath nosuch; realpath -e nosuch; ` +
		`echo $?; realpath x/y; echo $?; realpath -m x/y; realpath -s l; realpath --relative-to=d d/e; ` +
		`realpath --relative-to=l d/f; realpath; echo $?; cd l; realpath ..; realpath .`,
	`ls; touch b a .h; mkdir d; touch d/x; ls; ls -a; ls -A; ls -1 a b; ls d; ls -d d; ls nosuch; echo $?; ` +
		`ls a d; ls -r; ls -R; touch -d @5 a; ls -t a b; ls -Q2`,
	`truncate -s 5 f; stat -c %s f; truncate -s 2 f; truncate -s +3 f; stat -c %s f; truncate -s 1K f; ` +
		`stat -c %s f; truncate -c -s 1 nosuch; echo $?; truncate; echo $?; truncate -s x f; echo $?; ` +
		`truncate -s 1 nosuch/x; echo $?`,
	`echo a >a; sync a; sync -f a; sync; sync nosuch; echo $?; install -m 600 a b; stat -c %a b; install -d x/y; ` +
		`ls -d x/y; install -D a p/q/r; cat p/q/r; install a; echo $?; install nosuch z; echo $?; ` +
		`install -o daemon -g adm -m 644 a c; stat -c %U:%G:%a c; install a c x; ls x`,
	`basename /a/b.c .c; basename a/; basename /; basename ''; basename -a x/y z/w; basename -s .c a.c b.c; ` +
		`basename; echo $?; basename a b c; echo $?; basename .c .c; dirname /a/b a / a/ /a '' a//b ///; ` +
		`dirname; echo $?; dirname -z a/b | od -c`,
	`echo abc >a; echo abd >b; echo ab >c; : >e; cmp a a; echo $?; cmp a b; echo $?; cmp -s a b; echo $?; ` +
		`cmp a c; echo $?; cmp a e; echo $?; cmp a nosuch; echo $?; cmp -s a nosuch; echo $?; cmp a - <a; ` +
		`echo $?; printf ab >d; cmp d a; echo $?`,
	`sha256sum </dev/null; echo a >a; sha256sum a a; md5sum a; sha1sum a; sha256sum a >s; sha256sum -c s; ` +
		`echo b >a; sha256sum -c s; echo $?; sha256sum -c --status s; echo $?; sha256sum nosuch; echo $?; ` +
		`touch 'x\y' 'n
l'; sha256sum *y n*; sha256sum -z 'x\y' | od -c | tail -3; echo bad >t; sha256sum -c t; echo $?; sha256sum -- a; ` +
		`mkdir d; sha256sum d; echo $?; sha256sum 'n
l' >u; sha256sum -c u; sha256sum -c nosuch; echo $?; rm a; sha256sum -c s; echo $?; sha256sum -c --quiet u; echo $?; ` +
		`sha512sum u | wc -c; sha256sum -c --ignore-missing s; echo $?`,
	`printf 'hello world\0\377' | base64; printf 'hello' | base64 -w0; echo; printf aGVsbG8= | base64 -d; echo; ` +
		`printf '!!!' | base64 -d; echo $?; seq 100 | base64 | head -2; seq 100 | base64 -w 20 | tail -1; ` +
		`base64 -w x; echo $?; base64 nosuch; echo $?; printf 'aGVs\nbG8=\n' | base64 -d; base64 </dev/null`,
	`printf 'abc\n\0\377' | od; printf 'abc\n\0\377' | od -An -tx1; printf 'abc\n\0' | od -c; ` +
		`printf 'abcdefgh' | od -An -tx1 -v -w4; printf abcd | od -An -tu1; printf abcdefgh | od -An -tx4; ` +
		`printf 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' | od -An -tx1; od -N 3 -An -c /etc/passwd; ` +
		`od -An -tx1 -j 1 -N 2 /etc/passwd; printf 1234567890 | od -An -N4 -tu4`,
}

func TestCoreutilsLikeReal(t *testing.T) {
	debiantest.Compare(t, real.Missing, coreutilsScripts)
}

// textScripts are for the tools that work on text.
var textScripts = []string{
	`seq 12 >f; grep 1 f; grep -c 1 f; grep -n '^1.$' f; grep -v 1 f; grep -q 5 f; echo $?; grep -q x f; ` +
		`echo $?; grep x nosuch; echo $?; grep -s x nosuch; echo $?; grep -F . f; echo $?; grep -x 1 f; ` +
		`grep -E '^(1|2)$' f; grep -e 3 -e 4 f; grep -l 1 f nosuch; grep -L x f; grep -o '[0-9]$' f | sort -u; ` +
		`grep -h 7 f f; grep 7 f f; grep -m 2 1 f; grep -w 1 f; grep; echo $?; grep -Q; echo $?; grep '\(' f; ` +
		`echo $?; grep -E '(' f; echo $?; grep '[' f; echo $?`,
	`printf 'a.b\na*b\nA.B\na\\b\n' >f; grep 'a.b' f; grep -F 'a*b' f; grep 'a\*b' f; grep -i 'a\.b' f; ` +
		`grep -F '\' f; grep -e '-x' f; echo $?; printf 'x\0y\0' | grep -z x | od -c; grep -E 'a{1}' f; ` +
		`grep 'a\{1,2\}' f; grep '^$' f; echo $?; printf 'p\n\nq\n' | grep -n '^$'; printf 'one\ntwo\n' >p; ` +
		`printf 'two\nthree' | grep -f p; echo foo | grep -x -F foo; echo foobar | grep -w foo; echo $?; ` +
		`mkdir d; grep x d; echo $?; cp f d; grep -r a d; grep -A1 'a\*' f; grep -B1 'a\*' f; ` +
		`echo 'a+b' | grep 'a+b'; echo aab | grep 'a\+b'; echo "a|b" | grep 'a|b'; echo b | grep 'a\|b'`,
	`printf 'b\na\nc\na\n' >f; sort f; sort -r f; sort -u f; printf '10\n9\n1\n' | sort; ` +
		`printf '10\n9\n1\n' | sort -n; printf '10\n9\n-1\n' | sort -rn; printf 'x 2\ny 1\nz 10\n' | sort -k2; ` +
		`printf 'x 2\ny 1\nz 10\n' | sort -k2n; printf 'x:2\ny:1\n' | sort -t: -k2,2; sort nosuch; echo $?; ` +
		`sort -c f; echo $?; printf 'b\0a\0' | sort -z | od -c; sort -o f f; cat f; ` +
		`printf '1.10\n1.9\n' | sort -V; sort -k0 f; echo $?; printf 'B\na\n' | sort -f; ` +
		`printf 'a b\na a\n' | sort -k1,1 -s; printf '1K\n1M\n2\n' | sort -h`,
	`printf 'a\na\nb\na\n' | uniq; printf 'a\na\nb\n' | uniq -c; printf 'a\na\nb\n' | uniq -d; ` +
		`printf 'a\na\nb\n' | uniq -u; printf 'A\na\n' | uniq -i; uniq nosuch; echo $?; ` +
		`printf 'x a\ny a\n' | uniq -f1`,
	`printf 'a:b:c\nd\n' | cut -d: -f2; printf 'a:b:c\nd\n' | cut -d: -f1,3; printf 'a:b:c\nd\n' | cut -s -d: ` +
		`-f2-; printf 'abcdef\n' | cut -c2-4; printf 'abcdef\n' | cut -b1,3; printf 'a\tb\n' | cut -f2; ` +
		`cut -d: -f0; echo $?; cut; echo $?; printf 'a:b:c\n' | cut -d: -f-2 --output-delimiter=,; ` +
		`printf 'a:b:c\n' | cut -d: --complement -f2; cut -d ab -f1; echo $?; cut -f x; echo $?`,
	`echo hello | tr a-y b-z; echo hello | tr -d l; echo aabbcc | tr -s a-c; echo 'a b' | tr ' ' '\n'; ` +
		`echo abc | tr -c 'a\n' x; echo hello | tr '[:lower:]' '[:upper:]'; printf 'a\0b' | tr '\0' '\n'; echo; ` +
		`tr; echo $?; tr a; echo $?; echo abc | tr -dc 'ab\n'; echo a-b | tr -- - _; echo abc | tr abc x; ` +
		`echo 'a,b' | tr , '\t'; tr -d a b; echo $?`,
	`printf 'a b\nc\n' >f; wc f; wc -l f; wc -c <f; wc -w f; wc <f; wc f f; wc nosuch; echo $?; ` +
		`printf 'x' | wc -l; wc -lc f; wc -L f; : | wc`,
	`seq 3; seq 2 4; seq 1 2 5; seq 3 -1 1; seq 0.5 1; seq -w 8 10; seq -s, 3; seq; echo $?; seq x; echo $?; ` +
		`seq 5 1; seq -f %03g 2; seq 1 0 2; echo $?`,
	`printf 'a\nb\n' | tac; printf '1\n2\n3\n4\n' | paste - -; printf 'a\nb\n' >x; printf '1\n2\n3\n' >y; ` +
		`paste x y; paste -d, x y; paste -s x; expr 1 + 2; expr 3 \* 4; expr a : 'a'; expr abc : 'a\(.\)'; ` +
		`expr 1 = 2; echo $?; expr 5 / 0; echo $?`,
	`printf 'one\ntwo\nthree\nfour\n' >f; sed s/o/0/ f; sed s/o/0/g f; sed -n 2p f; sed 2d f; sed '2,3d' f; ` +
		`sed -n '/two/,/four/p' f; sed '$d' f; sed -n '$=' f; sed '1!d' f; sed 's/\(t\)\(.\)/\2\1/' f; ` +
		`sed -E 's/(t)(.)/\2\1/' f; sed 's/o/[&]/' f; sed -e 1d -e 3d f; sed '1i\
top' f; sed '1a bottom' f; sed '2c changed' f; sed 's|o|/|' f; sed 's/T/x/I' f; sed 's/o/X/2' f; sed -n 's/w/W/p' f; ` +
		`sed y/abc/xyz/ f; sed '/two/!s/$/ end/' f; sed 's/^/> /' f; sed 2q f; sed '/o/{s/o/0/;p}' f; ` +
		`sed -n '1~2p' f; sed '2,+1d' f; sed '0,/o/d' f`,
	`printf 'a\nb\nc\n' >f; sed -i s/b/B/ f; cat f; sed -i.bak 1d f; cat f f.bak; sed s/x f; echo $?; sed 'k' f; ` +
		`echo $?; sed p nosuch; echo $?; sed -n '/B/{n;p}' f; printf 'a\nb\nc\n' | sed 'N;s/\n/-/'; ` +
		`printf 'a\nb\n' | sed ':a;N;$!ba;s/\n/,/g'; printf 'x=1\n' | sed 's/=.*/=2/'; ` +
		`printf 'a b\n' | sed 's/ /\n/'; printf 'abc' | sed s/b/x/; printf 'a\n' | sed 'G'; ` +
		`printf 'a\nb\n' | sed -n 'h;n;G;p'; printf 'a/b\n' | sed 's/\//-/'; printf 'aaa\n' | sed 's/a*/x/g'; ` +
		`printf 'abc\n' | sed 's/x*/-/g'; printf 'a.b\n' | sed 's/\./\\./'; printf 'tab\n' | sed 's/a/\t/'; ` +
		`sed 's/a/b/q' f; echo $?; sed '}' f; echo $?; sed '{p' f; echo $?; printf 'hello\n' | sed 's/.*/\U&/'; ` +
		`printf '#c\n k = v # x\n' | sed -e 's/#.*//' -e 's/[[:space:]]*$//' -e '/^$/d'; sed -n '/a/p;/a/q' f; ` +
		`sed -s -n '$p' f f`,
	`printf 'a 1\nb 2\nc 3\n' >f; awk '{print $1}' f; awk '{s+=$2} END {print s}' f; ` +
		`awk -F: '{print $1}' /etc/passwd | head -1; awk 'NR==2' f; awk '/b/ {print NR, $0}' f; ` +
		`awk -v x=5 'BEGIN {print x*2}'; awk 'BEGIN {printf "%s-%d\n", "a", 3}'; ` +
		`echo 'x y z' | awk '{print NF, $NF}'; awk '$2 > 1 {print $1}' f; echo a,b | awk -F, '{print $2}'; ` +
		`awk 'BEGIN {exit 3}'; echo $?; awk '{print length($0)}' f; echo 'k=v' | awk -F= '$1=="k" {print $2}'`,
	`mkdir -p a/b; touch a/f a/b/g 'a/x y'; ln -s f a/l; find a | sort; find a -type f | sort; ` +
		`find a -name '*f' ; find a -maxdepth 1 | sort; find a -mindepth 2; find a -type d | sort; ` +
		`find a -type l; find nosuch; echo $?; find a -name g -print0 | od -c; ` +
		`find a -printf '%p|%y|%f|%h|%P|%d|%l\n' | sort; find a -path '*b*' | sort; find a -empty | sort; ` +
		`find a ! -type d | sort; find a \( -name f -o -name g \) | sort; find a -name f -exec echo {} \; ; ` +
		`find a -type f -exec echo {} + | tr ' ' '\n' | sort; find a -name g -delete; find a -foo; echo $?; ` +
		`find a -name; echo $?; find a -type q; echo $?; find a -prune; touch -d @5 old; touch -d @9 new; ` +
		`find . -maxdepth 1 -newer old -name new; find a -perm 755 | sort; find a -size 0 -type f | sort; ` +
		`find . -maxdepth 0; find a -name b -prune -o -print | sort; find a -uid 0 -name f; find a -maxdepth x; ` +
		`echo $?; find -name f`,
	`printf 'a b\nc\n' | xargs; printf 'a b\nc\n' | xargs -n 1 echo x; printf 'a\0b c\0' | xargs -0 printf ` +
		`'<%s>\n'; printf '' | xargs echo empty; printf '' | xargs -r echo no; printf 'a\nb\n' | xargs -I{} echo ` +
		`'[{}]'; printf '"a b" c\\ d\n' | xargs printf '<%s>\n'; printf 'x\n' | xargs false; echo $?; ` +
		`printf 'x\n' | xargs nosuchcmd; echo $?; printf 'x\n' | xargs sh -c 'exit 255'; echo $?; ` +
		`printf 'a:b' | xargs -d: -n1 echo; printf "it's\n" | xargs echo; echo $?; ` +
		`printf 'x\n' | xargs -n 0 echo; echo $?; printf 'a b c' | xargs -n 2; printf 'a\n' | xargs -t echo; ` +
		`printf 'x y\n' | xargs sh -c 'echo "$0 $1"; cat'; printf '1\n2\n' | xargs -L 1 echo l`,
	`date -u -d @0; date -u -d @1000000000 '+%F %T %s %Y%m%d %H:%M %j %u %a %b %e %Z %z %N %%'; ` +
		`date -u -d '2020-01-02 03:04:05' +%s; date -d nonsense; echo $?; date -u -d '2020-01-31 1 day' +%F; ` +
		`date -u -d '2020-03-01 1 day ago' +%F; date -u -Iseconds -d @0; date -u -R -d @0; ` +
		`date -u --rfc-3339=seconds -d @0; date foo; echo $?; touch -d @5 f; date -u -r f +%s; ` +
		`date -u -d @0 +%-d-%_d-%03d`,
	`env -i a=1 b=2 env; env -u HOME sh -c 'echo ${HOME-none}'; env nosuchcmd; echo $?; ` +
		`env -i sh -c 'echo $PATH' >/dev/null; env x=1 sh -c 'echo $x'; env --foo; echo $?; env -C / pwd; ` +
		`env -C nosuch pwd; echo $?; env ./nosuch; echo $?; touch f; env ./f; echo $?`,
	`timeout 60 echo hi; timeout 0.1 sleep 60; echo $?; timeout -s KILL 0.1 sleep 60; echo $?; ` +
		`timeout 60 sh -c 'exit 3'; echo $?; timeout; echo $?; timeout x sleep; echo $?; timeout 60 nosuchcmd; ` +
		`echo $?; timeout --preserve-status 0.1 sleep 60; echo $?; sleep; echo $?; sleep x; echo $?; sleep 0.01; ` +
		`echo $?; nohup; echo $?; timeout 3 sh -c 'trap "" TERM; sleep 5; echo survived'; echo $?`,
	`flock -n l echo locked; ls l; flock -n l sh -c 'flock -n l echo no; echo $?'; ` +
		`flock -n -E 75 l sh -c 'flock -n -E 75 l echo no; echo $?'; flock nosuch/l echo x; echo $?; flock; ` +
		`echo $?; flock -n l sh -c 'exit 4'; echo $?; flock -w 0.1 l sh -c 'flock -w 0.1 l echo no; echo $?'; ` +
		`flock -n l -c 'echo by shell'; exec 9>l; flock -n 9; echo $?; flock -n l echo no; echo $?; flock -u 9; ` +
		`flock -n l echo again; flock -n -o l sh -c 'echo x >&9' ; flock -s -n l flock -s -n l echo shared; ` +
		`flock l nosuchcmd; echo $?`,
	`setsid -w sh -c 'exit 5'; echo $?; setsid; echo $?; setsid -w sh -c '[ $(ps -o sid= -p $$) = $$ ] && echo ` +
		`leader'; setsid -w nosuchcmd; echo $?; setsid --foo; echo $?; setsid -w sh -c 'kill -9 $$'; echo $?`,
	`printf 'a\nb\nc\n' >a; printf 'a\nB\nc\n' >b; diff a a; echo $?; diff -q a b; echo $?; ` +
		`diff -u --label x --label y a b; echo $?; diff a nosuch; echo $?; printf 'a\nb' >c; ` +
		`diff -u --label x --label y a c; seq 20 >p; seq 20 | sed 's/^3$/x/;s/^15$/y/' >q; ` +
		`diff -u --label x --label y p q; diff -U1 --label x --label y p q`,
	`id -u; id -un; id -g; whoami; id nosuchuser; echo $?; id -u root; id -G root; getent passwd root; ` +
		`getent passwd 0; getent group root; getent passwd nosuch; echo $?; getent group 0 nosuch; echo $?; ` +
		`getent nosuchdb x; echo $?; getent passwd root daemon nosuch bin; echo $?`,
	`which cat; which nosuch; echo $?; which cat nosuch sh; echo $?; test a = a; echo $?; /usr/bin/test a = b; ` +
		`echo $?; /usr/bin/[ a = a ]; echo $?; /usr/bin/printf '%s\n' a b; /usr/bin/echo -n x; ` +
		`/usr/bin/echo -e 'a\tb'; true; /bin/false; echo $?; nproc >/dev/null; uname -s; uname -o; uname -Q; ` +
		`echo $?`,
	`df -P . | head -1 | tr -s ' '; df nosuch; echo $?; df ''; echo $?; df --output=target /proc | tail -1; ` +
		`stat -f -c %T /proc; df -B1 --output=source,size,used,avail,pcent,target / | head -1 | tr -s ' '; ` +
		`for o in -h -k -m -T -l -v -a -P '-P -h' '-P -T' '-P -BM' '-B 2048' -BM -B1M -BkB -B1kB '-B 1000' '-B ` +
		`3000' -B1 '-hk' '-kh'; do df $o / | head -1 | tr -s ' '; done; df --output=foo; echo $?; df -Bx; ` +
		`echo $?; df -B0 /; echo $?; df -T --output=source /; echo $?; df -t nosuch; echo $?; df /proc /proc; ` +
		`df -BM /proc; df --output=file,target /proc /proc/self/..; df -T /proc`,
	`mkdir d; dd if=/dev/zero of=d/f bs=1000 count=10 status=none; ln d/f d/g; du -sb d/f; ` +
		`du -s --apparent-size -B1 d/f; for o in -k -m -h -BK -BM -BkB '-B 1000' '-b -B1K' '-b -k' '-B1K -b' -l ` +
		`-c -P -x; do du $o d/f d/g; done; du nosuch; echo $?; du ''; echo $?; mkdir -p d/e/h; ` +
		`printf 123 >d/e/h/x; du -b d/e/h/x; du -ab d/e | cut -f2; du -d 1 d | cut -f2 | sort; ` +
		`du -b -0 d/f | od -c | tail -2; du -d x d; echo $?; du -cb d/f d/e/h/x; du -as d; echo $?; ` +
		`du -s nosuch d/f; echo $?; for n in 1 1023 1024 1025 10239 10240 10241 1047552 1048575 1048576 ` +
		`11010048; do truncate -s $n t; du -h --apparent-size t; done; rm t`,
	`mkdir s; cd s; mkdir -m 1777 t; touch t/f; chmod 600 t/f; stat -c %A t t/f; cd ..; rm -r s; ` +
		`ln -s /dev/null n; stat -L -c '%F' n; [ -c n ] && echo c; echo x >n; cat n; cat /dev/null; ` +
		`head -c 3 /dev/zero | od -An -tx1; echo x >/dev/full; echo $?; cat /dev/stdin <<E
from stdin
E
echo to >/dev/stderr`,
}

func TestTextToolsLikeReal(t *testing.T) {
	debiantest.Compare(t, real.Missing, textScripts)
}

// TestPermissionsLikeReal runs as nobody what root prepared.
func TestPermissionsLikeReal(t *testing.T) {
	debiantest.Compare(t, real.Missing, []string{
		`echo secret >f; chmod 600 f; mkdir -m 700 d; echo x >d/x; mkdir -m 755 e; echo y >e/y; ` +
			`runuser -u nobody -- sh -c 'cat f; cat d/x; ls d; cat e/y; echo z >e/z; echo $?; rm e/y; rm -f e/y; ` +
			`echo $?; mv e/y e/q; mkdir e/n; chmod 777 e; chown nobody e/y; touch e/y; ln -s a e/l; ln e/y e/h; ` +
			`cd d; echo $?; [ -r f ]; echo $?; [ -w e/y ]; echo $?; [ -x d ]; echo $?; stat -c %a f; stat d/x; ` +
			`find . | sort; rmdir e; cp f g; cp e/y g; sha256sum f; touch -d @5 e/y; truncate -s 0 e/y; ` +
			`tee e/y </dev/null'`,
		`mkdir -m 1777 t; echo r >t/r; chmod 666 t/r; runuser -u nobody -- sh -c 'echo n >t/n; stat -c %U:%G t/n; ` +
			`rm t/r; rm -f t/r; echo $?; mv t/r t/q; echo more >>t/r; cat t/r; rm t/n; echo $?; ls t'; ` +
			`echo over >t/r; cat t/r`,
		`chmod 777 .; runuser -u nobody -- sh -c 'umask 077; echo a >a; mkdir d; stat -c "%a %U" a d; chmod 4755 a; ` +
			`stat -c %a a; chgrp root a; chown root a; chmod g+s a; stat -c %a a; ln a b; stat -c %h a'; ` +
			`stat -c '%U %a' a; runuser -u daemon -- sh -c 'cat a; ln a c; echo x >>a; rm -f a; echo $?'`,
		`mkdir -p a/b; chmod 111 a; touch a/b/f; runuser -u nobody -- sh -c 'ls a; cat a/b/f; echo $?; ls a/b; ` +
			`find a; echo a/*'; chmod 444 a; runuser -u nobody -- sh -c 'ls a >/dev/null; cat a/b/f; cd a; stat a/b; ` +
			`[ -e a/b ]; echo $?'`,
		`printf '#!/bin/sh\necho ran\n' >s; chmod 744 s; runuser -u nobody -- sh -c './s; echo $?; sh s; . ./s; ` +
			`command -v ./s; echo $?'; ./s; chmod 000 s; cat s; ./s; echo $?; [ -r s ] && echo root reads; [ -x s ]; ` +
			`echo $?`,
		`mkdir -m 2775 g; chgrp adm g; touch g/f; mkdir g/d; stat -c '%G %a' g/f g/d; cp -p g/f h; stat -c %G h; ` +
			`cp g/f g/i; stat -c %G g/i; mv h g/h; stat -c %G g/h`,
		`touch f; chattr +i f 2>/dev/null || exit 0; echo x >f; rm -f f; echo $?; mv f g; chmod 600 f; ln f h; ` +
			`touch f; chattr -i f; echo x >f; cat f; mkdir d; chattr +i d; touch d/x; rmdir d; chattr -i d; rmdir d`,
	})
}

// TestFileToolsLikeReal covers the options that change what is written, and the mistakes.
func TestFileToolsLikeReal(t *testing.T) {
	debiantest.Compare(t, real.Missing, []string{
		`printf 'a\tb\n\n\n\001\177\200x\n' >f; cat -b f; cat -s f; cat -v f; cat -e f; cat -t f; cat -A f; ` +
			`cat -n f f; cat -bn f; printf 'x' | cat -n - f; cat -sn f f; cat -nE f`,
		`echo a>a; echo b>b; ln -v a h; ln -sv a s; ln -svf b s; ln -b a b; ln -sfv nosuch s; ln -sb a s; ` +
			`ln -sbv b s; ln -b a h; echo $?; ln -f a a; ln -s -t . /x/y; ln -s /x/z; ln -sfT a s; ln -sS .o b s; ` +
			`ln --backup=t -s a s; ls`,
		`mkdir -p d/e/f; rmdir -v d/e/f; rmdir -pv d/e; mkdir x; touch x/y; rmdir -v x; echo $?; rmdir -pv nosuch/a`,
		`touch -d @5 f; touch --time=atime -d @6 f; stat -c '%X %Y' f; touch --time=mod -d @7 f; stat -c '%X %Y' f; ` +
			`touch --time=foo f; echo $?; touch -am -d @9 f; stat -c '%X %Y' f; touch -d '2020-02-03' g; ` +
			`stat -c %y g; touch -d 2020-02-03T04:05:06Z g; stat -c %Y g; touch -r f -d '1 day' g; ` +
			`touch -r nosuch g; touch -t 2301 g; echo $?; touch -d '@1.5' g; stat -c %.Y g; touch d/x; touch ''; ` +
			`touch -`,
		`touch f g; chown 5:6 f; chown --from=5 7 f g; stat -c %u f g; chown --from=:6 :9 f g; stat -c %g f g; ` +
			`chown --from=1:1 8:8 f; stat -c %u f; chown --from=nosuch 1 f; echo $?; chown --from=7:9 root:root f; ` +
			`stat -c %u:%g f; ln -s f l; chown --from=0 3 l; stat -c %u f l; chown -h --from=0 4 l; stat -c %u f l; ` +
			`mkdir d; touch d/a; chown 3 d/a; chown -R --from=3 5 d; stat -c %u d d/a; chown 0.0 f; stat -c %u:%g f; ` +
			`chown daemon.sys f; stat -c %U:%G f; chown -- -1 f; echo $?; chown 4294967295 f; echo $?; ` +
			`chown 99999999999 f; echo $?; chown ::1 f; echo $?`,
		`printf 12345 >f; for s in 3 +2 -1 '<10' '<2' '>4' '/3' '%4' 0 '%0' x 1K 1KB -1K ''; do truncate -s "$s" f; ` +
			`echo $? "$s" $(stat -c %s f); done; truncate; truncate -s 1; truncate -c -s 5 nosuch; echo $?; ` +
			`truncate -s 1 d/x; echo $?`,
		`echo a >a; install a b; stat -c %a b; install -m 600 -o 1 -g 2 a c; stat -c '%a %u %g' c; ` +
			`install -d -m 750 d/e; stat -c %a d d/e; install -D a x/y/z; cat x/y/z; install a d; install -t d a b; ` +
			`install -C a b; touch -d @5 a; install -p a e; stat -c %Y e; echo b >b; install -C -m 755 b e; ` +
			`touch -d @3 e; install -C -m 755 b e; stat -c %Y e; install a a; echo $?; install d f; echo $?; ` +
			`install nosuch f; echo $?; mkdir q q/a; install a q; echo $?; install; echo $?; install a; echo $?; ` +
			`install -m 9 a f; echo $?; install -o nosuch a f; echo $?; install -D -t n/o a b; ls n/o; umask 077; ` +
			`install -d z/y; stat -c %a z z/y; install -D a w/v/u; stat -c %a w w/v w/v/u; install -T a d; echo $?; ` +
			`ln -s b l; install a l; stat -c %F l; cat b; install -d a; echo $?`,
		`printf 'abc\nd\n' >a; printf 'abd\ne\n' >b; cmp -n 2 a b; echo $?; cmp -n 3 a b; echo $?; cmp a b; echo $?; ` +
			`cmp -s a b; echo $?; cmp a nosuch; echo $?; cmp -s a nosuch; echo $?; cmp a; cmp; echo $?; ` +
			`printf abc >c; cmp a c; echo $?; cmp c a; echo $?; : >e; cmp a e; echo $?; cat a | cmp - a; echo $?; ` +
			`cmp a <b; echo $?; mkdir d; cmp a d; echo $?; cmp -n x a b; echo $?`,
		`mkdir -p a/b; touch a/b/c a/d; rm -rf --one-file-system a; ls; mkdir a; touch a/x; rm -rv a; ` +
			`rm -f nosuch/x a/b; echo $?; touch f; rm f/; echo $?; rm -rf f/; echo $?; mkdir d; rm -rf d/.; echo $?; ` +
			`rm -rf d/; ls; ln -s d l; mkdir d; touch d/x; rm l/; echo $?; rm -r l/; echo $?; rm -rf l; ls; ` +
			`rm -r d x; echo $?; rm ''; echo $?; rm -f ''; echo $?; rm -d f; rm --interactive=never f; rm -rf -- -f`,
		`umask 027; mkdir a; touch f; stat -c %a a f; umask; umask -S; umask u=rwx,g=,o=; umask; umask 9; ` +
			`umask 0777; touch g; stat -c %a g; umask u+w; umask; umask -- 022; umask g-w,o=; umask -S; umask +x; ` +
			`umask; mkdir -m +x b; umask 22; mkdir -m 1777 e; mkdir -m a=,u=rwx h; stat -c '%a %n' e h; ` +
			`chmod g=u,o=g h; stat -c %a h; chmod u=,g+x,o-rwx h; stat -c %a h; chmod ,u+x h; echo $?; chmod u+x, h; ` +
			`echo $?; chmod ug+rw,o=r h; chmod +t,u+s h; stat -c %a h; chmod 07777 h; chmod -- -x h; ` +
			`chmod u-s,g-s h; chmod a+X f; stat -c '%a %n' f h; chmod u+rwxst,g=s f; stat -c %a f; chmod g=o,o=u f; ` +
			`stat -c %a f; chmod 64 f; stat -c %a f; chmod 10000 f; echo $?; chmod =+x f; chmod u=g+w f; ` +
			`stat -c %a f; chmod -R go= a f; chmod -w f; stat -c %a f; chmod --reference=nosuch f; echo $?; ` +
			`chmod u+x nosuch f; echo $?; stat -c %a f`,
		`readlink -f /; XX realpath ''; echo $?; ln -s d/ l; readlink -f l; mkdir d; readlink -f l l/x l/x/y; ` +
			`echo $?; readlink l/; echo $?; realpath -z f | tr '\0' '\n'; realpath --relative-to=d f; ` +
			`realpath --relative-to=/ /usr; realpath -q nosuch/x; echo $?; dirname a/b/c / // a a/ /a '' . ../x; ` +
			`basename a/b/c .c; basename /; basename ''; basename a/b/ ; basename -a a/b c/d; ` +
			`basename -s .x a.x b.x; basename a.x .x; basename .x .x; basename //; basename a b c; echo $?; dirname; ` +
			`echo $?`,
		`printf 'b c\na  d\nB b\n10 x\n9 y\n' >f; sort f; sort -n f; sort -r f; sort -f f; sort -k2 f; ` +
			`sort -k2,2r f; sort -k 2.1,2.1 -s f; sort -u f; sort -t ' ' -k2 f; sort -b -k2 f; sort -nr f; ` +
			`sort -c f; echo $?; sort -C f; echo $?; printf 'a\nb\n' | sort -c; echo $?; sort -o f f; cat f; ` +
			`printf 'b\0a\0' | sort -z | tr '\0' ,; sort -k0 f; echo $?; sort -k f; echo $?; sort -t ab f; echo $?; ` +
			`printf '1.10\n1.9\n1.2-3\n' | sort -V; printf '1K\n2\n1M\n' | sort -h; sort nosuch; echo $?; ` +
			`sort --foo; echo $?; sort -u -k1,1 f; printf 'x' | sort; printf 'b,2\na,10\na,9\n' | sort -t, -k1,1 ` +
			`-k2,2n; printf '%s\n' a-b ab a_b A | sort; printf ' 2\n1\n' | sort -n; ` +
			`printf -- '-1\n1\n0\n' | sort -n; printf 'b\na\n' | sort - f; printf 'a 2\na 1\n' | sort -u -k1,1; ` +
			`sort -d f; sort -k1n f; sort -k 1,1nr -k 2b f; printf '3\n1\n' >n; sort -n n -o n; cat n; ` +
			`echo 1 | sort -g`,
	})
}

// toolCorners are what scripts seldom ask of the tools.
var toolCorners = []string{
	`printf 'one\ntwo\nthree\n' >f; sed -n '/two/,$p' f; sed '/two/,+0d' f; sed -n '$!p' f; ` +
		`sed -n 's/t\(.\)/\1/gp' f; sed 's/./&&/2' f; sed 's/o/\n/' f; sed 's/e$/!/' f; sed '/^$/d' f; sed = f; ` +
		`sed -n '2{p;q}' f; sed '2!{s/o/0/}' f; sed 'y/eo/EO/' f; sed '1,2!d' f; sed '2,1p' f; ` +
		`sed -n '/one/,/nosuch/p' f; sed 's,o,/,g' f; sed "s/'//" f; sed -E 's/(o)(n)?/[\1\2]/' f; ` +
		`sed -E 's/^(.)(.*)$/\2\1/' f; sed 's/\bt/T/;s/o\>/0/' f; sed 's/\w\+/<&>/' f; sed 's/[^o]//g' f; ` +
		`sed 's/[]o]/x/;s/[a\]]/y/' f; sed -n '/T/Ip' f; sed -e 'a\' -e 'x' f; sed '1i\  lead' f; ` +
		`sed '$a end' f; sed -n '2,3!p' f; sed 'N;P;D' f; sed '$!N;s/\n/+/' f; sed -z 's/\n/,/g' f; sed 'n;d' f; ` +
		`sed '2c\
new' f; sed -n '1!G;h;$p' f; sed 's/o/x/;ta;s/$/ no/;:a' f; sed 'bz;s/o/x/;:z' f; sed '/two/{N;d}' f; sed 2q5 f; ` +
		`echo $?; sed Q3 f; echo $?`,
	`printf 'a=1\nb=2\n# c\n' >f; sed -i 's/^a=.*/a=9/' f; cat f; sed -i -e '/^#/d' -e '$a c=3' f; cat f; ` +
		`sed -i nosuch; echo $?; sed -i p; echo $?; sed -i 's/x/y/' nosuch; echo $?; chmod 640 f; chown 3:4 f; ` +
		`sed -i 's/a/A/' f; stat -c '%a %u %g' f; ln -s f l; sed -i 's/A/B/' l; stat -c %F l; cat f; ` +
		`sed -n -i p l; sed --in-place=.o s/B/C/ f; ls; sed -i.bak -e s/C/D/ f l; ls; mkdir d; sed -i p d; ` +
		`echo $?; sed p d; echo $?; sed -i 's/b/\
/' f; cat f; sed -e 's/\(a\|b\)/x/' f; sed 's/a\{1,2\}/z/' f; sed -E 's/a{1}|b+/q/' f; ` +
		`printf 'no newline' | sed 's/n/N/'; printf 'a\nb' | sed '$!d'; printf 'x\n' | sed 's/x/a\tb\\n/'; ` +
		`printf 'p\n' | sed 's/p/\x41/;s/\x41/\o102\d067/'; printf 'a&b\n' | sed 's/&/\&\&/'; ` +
		`printf 'a.b\\\n' | sed 's/\x61/\x26/'; printf 'a\tb\nc\n' | sed 'N;s/[^\n]*\n/<&>/;s/[\t]/T/'; ` +
		`printf 'x\r\n' | sed 's/\r$//' | od -c; printf 'ab\n' | sed 's/b/\a\f\v\r/' | od -c; ` +
		`printf 'a/b\n' | sed 's/[/]/x/';  printf 'A b\n' | sed 's/\(.\) \(.\)/\l\1 \u\2/'; ` +
		`printf '/a/b\n' | sed 's|/a|/c|'; printf 'x\n' | sed --expression='s/x/y/' ; printf 's/x/z/\n' >s; ` +
		`printf 'x\n' | sed -f s; printf 'x\n' | sed -nf s; printf 'aXbX\n' | sed 's/X/\
/2'; printf 'a\n' | sed 's/\(a\)\(b\)*/[\1|\2]/'; printf 'ab\n' | sed 's/a*\(b\)/\1/;s/\(\)/z/'; ` +
		`printf 'tEst\n' | sed 's/e/x/i'; printf 'a\n' | sed 'p;p' -n; sed 's/a/b' f; echo $?; sed 's/\(a/b/' f; ` +
		`echo $?; sed 'y/ab/c/' f; echo $?; sed '/a' f; echo $?; sed 's/a/\1/' f; echo $?; sed 'b nolabel' f; ` +
		`echo $?; sed '/x/{b no;}' f; echo $?; sed 'p x' f; echo $?; sed ':a;ba;' </dev/null; ` +
		`sed -s -n '$=' f f; sed -n '$=' f f; sed -u p </dev/null; sed '0~2d' f; sed '2~0p' f`,
	`printf 'a:b:c\nx:y\n\n1 2  3\n' >f; awk -F: '{print $2, NF}' f; awk 'NF' f; awk '{print $NF}' f; ` +
		`awk 'END{print NR}' f; awk -F: -v OFS=- '{$1=$1; print}' f; awk '{n+=NF} END{print n+0}' f; ` +
		`awk '/a/,/x/' f; awk '!/a/{print; next} {print "A"}' f; awk -F: '$1=="x"{print $2; exit 4}' f; echo $?; ` +
		`awk 'BEGIN{x="a b c"; n=split(x,a," "); for(i=n;i>0;i--) printf "%s ", a[i]; print ""}'; ` +
		`awk '{gsub(/[abc]/,"<&>")} 1' f; awk '{sub(/:/,"="); print}' f; ` +
		`awk 'BEGIN{print length("abc"), substr("hello",2,3), index("hello","l"), toupper("a"), tolower("B"), ` +
		`match("foobar",/o+/), RSTART, RLENGTH}'; awk 'BEGIN{printf "%d %5.2f %s %c %x %%\n", 3.9, 3.14159, "s", ` +
		`"c", 255}'; awk '{a[$1]++} END{for(k in a) c++; print c}' f; awk -v 'x=a\tb' 'BEGIN{print x}'; ` +
		`awk 'BEGIN{print 1==1.0, "a"<"b", 2<10, "2"<"10"}'; awk 'BEGIN { if (!("x" in a)) print "no"; a["x"]=1; ` +
		`delete a["x"]; print length(a) }'; awk 'BEGIN{print substr("hello",0,2) "|" substr("hello",4,9) "|" ` +
		`substr("x",5)}'; awk 'BEGIN{print -3%2, 2^3, 7/2, int(-3.7), 1e3, 0.1+0.2, 100000000, 1e20}'; ` +
		`awk 'BEGIN{x; print x+0, x ""}'; awk 'function f(a){return a*2} BEGIN{print f(4)}'; ` +
		`awk 'BEGIN{print ENVIRON["HOME"]}'; awk 'BEGIN{exit} END{print "end"}'; awk -F'[:y]' '{print NF}' f; ` +
		`awk '$1 ~ /^a/ && NF==1' f; awk 'BEGIN{RS=""}{print NR": "$1}' f; echo 'a  b' | awk '{$2="x"; print}'; ` +
		`echo '  lead' | awk '{print $1}'; echo 'x y' | awk '{print $(NF-1)}'; awk '{print FNR, NR}' f`,
	`printf 'foo\nbar baz\nFoo\n\nfoo.bar\n' >f; grep foo f; grep -c foo f; grep -v foo f; grep -i FOO f; ` +
		`grep -n bar f; grep -l foo f nosuch; echo $?; grep -q foo f; echo $?; grep -q nope f; echo $?; ` +
		`grep -s x nosuch; echo $?; grep -x foo f; grep -w bar f; grep -o 'ba.' f; grep -F foo. f; ` +
		`grep -E 'foo|baz' f; grep -e foo -e baz f; grep 'foo\|baz' f; grep '^$' f; grep -n '' f; ` +
		`grep -A1 bar f; grep -B1 Foo f; grep -C1 -n baz f; grep -m1 foo f; grep -h foo f f; grep -H foo f; ` +
		`grep -L nope f; grep -vc foo f; grep 'ba[rz]$' f; grep '^f' f; grep -E '^(foo|bar).*$' f; ` +
		`grep -E 'o{2}' f; grep 'o\{2\}' f; grep '\.' f; grep '[.]' f; grep '\bbar\b' f; grep '\<ba' f; ` +
		`grep -c . f; grep -f f f; printf 'foo\n' | grep -f - f; grep -e -x f; echo $?; grep -- -x f; echo $?; ` +
		`grep '' nosuch; echo $?; grep; echo $?; grep '\(foo' f; echo $?; grep 'a**' f; grep '*a' f; echo $?; ` +
		`grep -E '(' f; echo $?; grep -E 'a{1' f; echo $?; grep '[[:alpha:]]' f; grep '[[:foo:]]' f; echo $?; ` +
		`mkdir d; grep x d; echo $?; cp f d/g; grep -r foo d; grep -rl foo d; grep -rc foo d; grep -rh baz d; ` +
		`grep foo <f; grep -H baz <f; grep baz - f <f; printf 'a\0b\n' | grep a; ` +
		`printf 'a\0b\n' | grep -a a | od -c; printf 'x\0y\0' | grep -z y | od -c; grep -o . f | head -2; ` +
		`grep -on 'o' f; grep -ow 'bar' f; grep -io foo f; grep -E 'a|' f; grep -vx foo f; grep -c x </dev/null; ` +
		`grep -qv foo f; echo $?; grep -Fx 'foo
bar baz' f; grep -E '\.bar|z$' f; printf 'ab\n' | grep -o 'a*'; echo $?; printf 'aXbX\n' | grep -o '[^X]*X'; ` +
		`printf 'no newline' | grep new; grep -l foo f -; grep -w 'foo' f; printf 'foofoo foo\n' | grep -ow foo; ` +
		`printf 'a_b a-b\n' | grep -ow 'b\|a'; printf 'a-b\nab\n' | grep -cw 'a.*'; printf 'x\n' | grep -w ''; ` +
		`echo $?; printf 'foobar foo\n' | grep -w 'foo.*'; grep -Fw bar f; grep -Fo oo f; grep -F '' f | wc -l`,
	`mkdir -p t/a/b; echo 1 >t/f1; echo 22 >t/a/f2; ln -s f1 t/l; touch -d '2001-01-01' t/old; chmod 600 t/a/f2; ` +
		`cd t; find . -name 'f*' -type f | sort; find . -type f -exec sh -c 'echo $0 $#' {} + | wc -l; ` +
		`find . -name 'f?' -print -quit | wc -l; find . -newer old -type f | sort; ` +
		`find . -mmin -5 -type f | sort; find . -mtime +30; find . -size -2c -type f; ` +
		`find . -size +2c -type f | sort; find . -perm 600; find . -perm -400 -type f | sort; find . -perm /022; ` +
		`find . -user root -name f1; find . -links 1 -type f | sort; find . -iname 'F1'; ` +
		`find . -maxdepth 1 -mindepth 1 -printf '%f\n' | sort; find . -path ./a -prune -o -type f -print | sort; ` +
		`find . -type d,l | sort; find . \( -name f1 -o -name l \) -printf '%p %s %m %u %g %l\n' | sort; ` +
		`find . -name f1 -exec false \;; echo $?; find . -name f1 -exec false {} +; echo $?; ` +
		`find . -name f1 -exec nosuch {} \;; echo $?; find . -empty | sort; find . -not -name 'f*' | sort; ` +
		`find . -name old -delete; ls; find a -delete; ls; find nosuch f1; echo $?; find . -exec; echo $?; ` +
		`find . -name; echo $?; find f1 -printf '%h %f %P %H %d %y %Y\n'; find . -xdev -type f; find . -type x; ` +
		`echo $?; find . -print0 | tr '\0' '\n' | sort`,
	`printf 'a b\n' >f; sha256sum f >s; sha256sum -c s; sha256sum -c --quiet s; sha256sum --status -c s; ` +
		`echo $?; echo x >>f; sha256sum -c s; echo $?; sha256sum -c --status s; echo $?; sha256sum -c nosuch; ` +
		`echo $?; echo junk >j; sha256sum -c j; echo $?; cat s j >k; sha256sum -c k; echo $?; ` +
		`sha256sum -c --strict k; echo $?; rm f; sha256sum -c s; echo $?; sha256sum -c --ignore-missing s; ` +
		`echo $?; sha256sum f; echo $?; sha256sum </dev/null; printf x | sha256sum -; touch 'a b' 'a\b'; ` +
		`sha256sum 'a b' 'a\b' | sha256sum -c; sha256sum -b s | cut -c65-; sha256sum --tag s | cut -c1-20; ` +
		`printf '%s *%s\n' e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 'a b' | sha256sum -c ` +
		`-; printf '%s  %s\n' E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855 'a b' | sha256sum ` +
		`-c; printf '%s %s\n' e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 'a b' | sha256sum ` +
		`-c; echo $?; md5sum 'a b'; sha1sum 'a b'; sha512sum 'a b' | cut -c1-20; mkdir d; sha256sum d; echo $?; ` +
		`printf abc | base64; printf abc | base64 | base64 -d; echo; seq 100 | base64 | head -1; ` +
		`seq 100 | base64 -w 0 | wc -l; echo YWJj | base64 -d; printf 'YW\nJj\n' | base64 -d`,
	`printf 'abc\tdef\n' | cut -c2-4,6; printf 'a,b\n' | cut -d, -f3; printf 'a b\n' | cut -d ' ' -f 2; ` +
		`printf 'a:b\n' | cut -s -d, -f1; printf 'abcdef\n' | cut -c-2,5-; printf 'a::b\n' | cut -d: -f2; ` +
		`printf 'a\0b:c\0' | cut -z -d: -f2 | od -c; printf 'no newline' | cut -c1-2; head -c 0 /dev/zero; ` +
		`printf abc | head -c -1; seq 3 | head -n -1; seq 3 | head -n -5; seq 3 | head -1; seq 3 | head -n 0; ` +
		`seq 3 | tail -n +2; seq 3 | tail -n 1; seq 3 | tail -c 2; seq 3 | tail -2; printf 'a\nb' | tail -n 1; ` +
		`seq 3 | tail -n 0; tail -n 1 nosuch; echo $?; seq 3 | tail -c +3; seq 3 >f; tail -n 1 f f; ` +
		`tail -q -n 1 f f; seq 12 | tail; seq 12 | head; head -n 1 f nosuch; echo $?; echo 'a b' | tr -d ' '; ` +
		`echo abc | tr a-c A-C; echo 'a  b' | tr -s ' '; echo abc | tr -cd 'b\n'; echo 'a/b' | tr / '\\'; ` +
		`echo abc | tr 'a-c' 'x'; echo aXb | tr '[:upper:]' '[:lower:]'; echo 'a1' | tr -d '[:digit:]'; ` +
		`echo abc | tr '[a-b]' '[x-y]'; echo ab | tr ab '\n\t'; echo abc | tr -t abc x; echo aab | tr -s a b; ` +
		`echo 'a]' | tr ']' '['; echo 'a-b' | tr 'a-' 'x_'; echo ab | tr b-a x; echo $?; echo A | tr '\101' b; ` +
		`echo hi | tr -c 'a-z\n' .; seq 3 | paste -s -d +; seq 4 | paste - -; seq 3 | paste -sd,; wc -l f; ` +
		`wc -l <f; wc f nosuch; echo $?; wc -c f f; printf 'a b c' | wc -w; printf 'é' | wc -m; ` +
		`printf 'é' | wc -c; seq 3 | tac; printf 'a\na\nb\na\n' | uniq; printf 'a\na\nb\n' | uniq -c; ` +
		`printf 'a\na\nb\n' | uniq -d; printf 'a\na\nb\n' | uniq -u; printf 'a 1\nb 1\n' | uniq -f1; ` +
		`printf 'A\na\n' | uniq -i; seq 1 3 10; seq 3 1; seq -s ' ' 3; seq -w 9 11; seq -3 -1; seq -- -2 0; ` +
		`expr 3 + 4; expr 7 / 2; expr abc : 'a.c'; expr a = a; expr 1 \> 2; echo $?`,
	`timeout 3 sh -c 'exec 2>/dev/null; trap "echo t; exit 9" TERM; while :; do sleep 0.05; done'; echo $?; ` +
		`timeout 0 echo z; timeout -s INT 0.1 sleep 60; echo $?; timeout 0.1s sleep 60; echo $?; ` +
		`timeout 1m true; echo $?; timeout -s FOO 1 true; echo $?; timeout -f 1 true; echo $?; timeout 1; ` +
		`echo $?; echo in | timeout 60 cat; timeout --foreground 60 echo f; nohup echo n 2>/dev/null; ` +
		`seq 3 | xargs -n 1 echo | sort; seq 5 | xargs -n2; echo "a'b c'd" | xargs printf '[%s]'; ` +
		`printf 'a\nb c\n' | xargs -d '\n' printf '[%s]'; printf 'x y' | xargs -I% echo '<%>' '%%'; ` +
		`printf 'a\n\n\nb\n' | xargs -L1 echo l; echo a | xargs -i echo {}; xargs -r rm </dev/null; echo $?; ` +
		`echo x | xargs sh -c 'exit 5'; echo $?; seq 3 | xargs sh -c 'echo "$@"' sh; yes | head -n 3 | xargs; ` +
		`flock l true; flock -n l false; echo $?; flock -x l -c 'exit 7'; echo $?; (flock -n 9 || echo busy; ` +
		`(flock -n 9 && echo same) ) 9>l; flock -w 60 l echo w; flock --conflict-exit-code 5 -n l echo c; ` +
		`flock -n 77; echo $?; exec 8>l; flock 8; flock -n -E 9 l true; echo $?; flock -n -s l true; echo $?`,
	`id root; id -nG root; id -Gn; id -gn; id -ur; id daemon; id 1; id -u 0; id -un 0; id -x; echo $?; id -nu; ` +
		`id -n; echo $?; groups root; groups nosuch; echo $?; getent passwd root daemon; getent passwd 0 1; ` +
		`getent group 1; getent group root:; echo $?; getent shadow root | cut -d: -f1; getent services ssh; ` +
		`getent services nosuch; echo $?; whoami; uname -x; echo $?; stat -c %U:%G /; ls -d /etc/passwd /nosuch; ` +
		`echo $?; touch -d '' f; date -r f +%T; [ "$(date -d '' +%F)" = "$(date +%F)" ] && echo today`,
	`set -x; y=$(echo z); set +x`,
	`set -x; y=$(echo z); echo $y`,
	`set -x; echo $(echo z)`,
	`set -x; n=0; f() { n=$((n+1)); }; x=$(echo run >>log; echo v) true; y=$(echo run >>log) z=2 ls log; ` +
		`q=$(echo run >>log; echo w) f; y=1 z=$y; : $y; w=$(echo run >>log) /bin/true; set +x; wc -l <log; ` +
		`PATH=/nosuch; x=1 nosuch`,
}

// TestToolCornersLikeReal compares the finer points of sed, awk, grep, find, the checksums, xargs, flock and set -x.
func TestToolCornersLikeReal(t *testing.T) {
	debiantest.Compare(t, real.Missing, toolCorners)
}
