package sh_test

import (
	"testing"

	"gitea.arcodange.lab/arcodange-org/lab/host/hosttest/internal/debiantest"
	"gitea.arcodange.lab/arcodange-org/lab/internal/real"
)

// shellScripts are run by dash and by this shell.
var shellScripts = []string{
	`echo hello world; echo "a  b" 'c  d' e\ f`,
	`x=1; y=$x$x; echo "$y" ${y}z ${#y}`,
	`echo "${x-unset}" "${x:-null}" "${x+set}"; x=; echo "${x-unset}" "${x:-null}" "${x+set}" "${x:+full}"`,
	`: ${x:=value}; echo $x`,
	`echo ${x?gone}; echo no`,
	`echo ${x:?}; echo no`,
	`set -u; echo $nope; echo no`,
	`x=/usr/lib/a.tar.gz; echo ${x##*/} ${x%.*} ${x%%.*} ${x#*/} ${x%"gz"}`,
	`x='a*b'; echo ${x#a\*} "${x%\*b}"`,
	`set -- a 'b c' d; for i in "$@"; do echo "<$i>"; done; for i in $*; do echo "[$i]"; done; echo "$*" $#; ` +
		`shift; echo $1; IFS=,; echo "$*"`,
	`set --; for i in "$@"; do echo x; done; echo "n$#" "$@"`,
	`IFS=:; x=a:b::c:; for i in $x; do echo "<$i>"; done`,
	`IFS=' :'; x=' a : b:c '; for i in $x; do echo "<$i>"; done`,
	`x='1  2'; set -- $x; echo $#; set -- "$x"; echo $#`,
	`if true; then echo y; else echo n; fi; if false; then echo y; elif true; then echo e; fi`,
	`i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done; until [ $i -eq 0 ]; do i=$((i-1)); done; echo $i`,
	`for i in 1 2 3; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; done; for i in 1 2; ` +
		`do break; done; echo $i`,
	`case abc in a*) echo glob;; esac; case x in y|x) echo alt;; esac; case q in [a-p]) echo no;; *) echo def;; ` +
		`esac; case "a*" in "a*") echo lit;; esac; case -- in --) echo dd;; esac`,
	`f() { echo "f $1 $#"; return 3; }; f a b; echo $?; f; g() { local x=2; echo $x; }; x=1; g; echo $x`,
	`f() { x=$1; [ $x -gt 0 ] && f $((x-1)); echo $1; }; f 2`,
	`echo $((1+2*3)) $(( (1+2)*3 )) $((7/2)) $((7%3)) $((1<<4)) $((0x1f)) $((010)) $((1==1)) $((1&&0)) $((1||0)) ` +
		`$((!1)) $((~1)) $((-5/2)) $((5>3?10:20))`,
	`x=5; echo $((x+1)) $((x+=2)) $x $((y)) ; echo $((x*$x))`,
	`echo $((1/0)); echo no`,
	`echo $(echo a; echo b) "$(printf 'a\n\n\n')"x`,
	"echo `echo a` `echo \\`echo b\\``",
	`x=$(false); echo $?; x=$(exit 3); echo $?; echo $(false) $?`,
	`(exit 4); echo $?; (x=5; echo $x); echo "${x-none}"`,
	`{ echo a; echo b; } | cat; echo a b c | { read x y; echo "$y"; }; echo x | read z; echo "${z-none}"`,
	`false | true; echo $?; true | false; echo $?; ! true; echo $?; ! false; echo $?; ! true | false; echo $?`,
	`set -e; false || echo or; if false; then :; fi; ! true; echo here; (false; echo in); echo no`,
	`set -e; f() { false; echo in; }; f || echo caught; f; echo no`,
	`set -e; x=$(false); echo no`,
	`set -e; false && true; echo yes; { false && true; }; echo yes2; (false && true); echo no`,
	`set -e; for i in 1; do false; done; echo no`,
	`trap 'echo bye $?' EXIT; echo hi; exit 3`,
	`trap 'echo bye' EXIT; (echo sub); false; exit`,
	`trap 'echo int' INT TERM; kill -TERM $$; echo after; trap - TERM; kill -TERM $$; echo no`,
	`trap '' TERM; kill -TERM $$; echo alive; sh -c 'kill -TERM $$; echo child alive'`,
	`trap; trap 'echo "a b"' EXIT HUP; trap; trap - EXIT; trap`,
	`sh -c 'exit 7'; echo $?; sh -c 'kill -9 $$'; echo $?; sh -c 'kill $$'; echo $?`,
	`nosuchcommand; echo $?; ./nosuch; echo $?; touch f; ./f; echo $?; mkdir d; ./d; echo $?; chmod +x f; ./f; ` +
		`echo $?`,
	`printf 'echo script $1 $0\n' >s; chmod +x s; ./s a; printf '#!/bin/sh\necho bang $1\n' >b; chmod +x b; ` +
		`./b x; PATH=$PATH:. ; b y`,
	`. ./nosuch; echo no`,
	`echo 'x=5; return 3; echo no' >inc; . ./inc; echo $? $x`,
	`eval 'echo a; x="b c"'; echo "$x"; eval; echo $?; eval "exit 3"; echo no`,
	`echo a >f; echo b >>f; cat <f; cat f - <<E
here $((1+1)) "$HOME" \$x
E
cat <<'E'
lit $x \n
E
cat <<-E
	tab
		two
	E`,
	`echo out; echo err >&2; { echo a; echo b >&2; } 2>&1 | cat; echo c 2>/dev/null >f; cat f`,
	`exec 3>f; echo three >&3; exec 3>&-; cat f; exec 4<f; read x <&4; echo $x; echo x >&3; echo $?`,
	`echo a >/nonexist/x; echo $?; cat </nonexist; echo $?; echo b >.; echo $?`,
	`set -C; echo a >f; echo b >f; echo $?; echo c >|f; cat f`,
	`: >/nonexist/x; echo no`,
	`cd /nonexist; echo $?; mkdir -p d/e; ln -s d l; cd l/e; pwd; pwd -P; cd ..; pwd; cd ..; cd -; echo $OLDPWD`,
	`cd d 2>/dev/null || echo no; CDPATH=; cd; pwd`,
	`read a b; echo "$a|$b"; read -r c; echo "$c"; read d; echo "$d $?"; read e; echo "$e $?"`,
	`printf 'a\\ b\\\nc d\n' | { read x y; echo "$x|$y"; }; printf 'a\\ b\n' | { read -r x y; echo "$x|$y"; }; ` +
		`printf '  lead trail  \n' | { read x; echo "<$x>"; }`,
	`printf 'a:b:c:\n' | { IFS=: read x y; echo "$x|$y"; }; printf 'a::b\n' | { IFS=: read x y z; ` +
		`echo "$x|$y|$z"; }; printf 'a:\n' | { IFS=: read x; echo "$x"; }`,
	`printf '%s-%d-%x-%o-%c-%5s|%-5s|%05d|%.2s|%%\n' a 10 255 8 xyz ab cd 42 abcdef; printf '%s %s\n' a b c; ` +
		`printf 'no newline'; printf '\t\101\n'; printf '%b' 'a\nb\0101\n'; printf '%d\n' 0x10 "'A" -5`,
	`printf '%d\n' abc; echo $?; printf '%q\n' a; echo $?; printf; echo $?`,
	`echo -n x; echo 'a\tb\nc'; echo 'a\cb'; echo; echo -e x; echo '\0101 \x41'`,
	`[ -z "" ] && [ -n a ] && [ a = a ] && [ a != b ] && [ 1 -lt 2 ] && echo ok; ` +
		`[ a = b -o 1 -eq 1 ] && echo or; [ ! -e /nonexist ] && echo not; [ ]; echo $?; [ a ]; echo $?`,
	`[ a b ]; echo $?; [ a b c ]; echo $?; [ 1 -eq x ]; echo $?; [ a = ; echo $?; [ -x a b ]; echo $?; test; ` +
		`echo $?; [ -f ]; echo $?; [ ! a ]; echo $?; [ "(" = "(" ]; echo $?; [ ! = a ]; echo $?; [ -n ]; ` +
		`echo $?; [ '!' ]; echo $?`,
	`touch f; mkdir d; ln -s f l; ln -s nosuch b; for x in f d l b n; do for o in e f d h L s r w x b c p S; ` +
		`do [ -$o $x ] && echo "$x $o"; done; done`,
	`touch -d @100 a; touch -d @200 b; [ b -nt a ] && echo nt; [ a -ot b ] && echo ot; ln a c; ` +
		`[ a -ef c ] && echo ef; exec 9>>d; [ d -ef /proc/self/fd/9 ] && echo open; mv d e; ` +
		`[ d -ef /proc/self/fd/9 ] || echo moved; [ e -ef /dev/fd/9 ] && echo there; >d; ` +
		`[ d -ef /proc/self/fd/9 ] || echo other; rm e; stat -L -c %s,%h /dev/fd/9`,
	`command -v echo; command -v cat; command -v nosuch; echo $?; f() { :; }; command -v f; command -v if; ` +
		`command echo hi; command nosuch; echo $?; type echo nosuch; echo $?`,
	`umask; umask 027; umask; umask -S; touch f; mkdir d; stat -c %a f d; umask u=rwx,g=rx,o=; umask; umask 999; ` +
		`echo no`,
	`x=1 y=2 env | grep '^[xy]=' | sort; x=5; export x; sh -c 'echo $x'; unset x; echo "${x-gone}"; ` +
		`readonly r=1; r=2; echo no`,
	`x=1 :; echo "${x-unset}"; y=1 true; echo "${y-unset}"; f() { echo $z; }; z=3 f; echo "${z-unset}"`,
	`export A='q"x'\''y'; export -p | grep ' A='; set | grep '^A='`,
	`while getopts ab:c o -a -b val -cx rest; do echo "$o ${OPTARG-}"; done; echo $OPTIND; ` +
		`while getopts :a:b x -a; do echo "$x $OPTARG"; done; OPTIND=1; getopts a y -z; echo $y $?`,
	`sleep 0 & wait $!; echo $?; (exit 3) & wait $!; echo $?; wait; echo $?; wait 99999; echo $?; false & wait; ` +
		`echo $?`,
	`{ echo bg; } & wait; x=$(sleep 0; echo q) ; echo $x`,
	`echo *; touch a b .h; echo *; echo .*; echo ?; echo [ab]; echo [!a]; echo x*; echo "*"; set -f; echo *; ` +
		`mkdir d; touch d/e; set +f; echo */*; echo d/[e]`,
	`touch 'a b' 'c*d' "e'f"; for i in *; do echo "<$i>"; done; x='*'; echo $x; echo "$x"`,
	`echo ~ ~root ~nosuchuser "~"; x=~/a; echo $x; x=a:~/b; echo $x`,
	`echo $0 $#; sh -c 'echo $0 $1' name arg; sh -c 'echo "$@"' a b c; echo "echo s \$1" | sh -s q; ` +
		`echo 'echo in' | sh`,
	`echo "a\
b" a\
b; echo 'a\
b'; # comment
echo c # more`,
	`echo a; echo (`,
	"echo a\nif true\necho b",
	`fi`,
	`echo "unterminated`,
	`x=; echo ${x:-a b} ${x:-"a  b"} "${x:-a  b}"; set -- ${x:-a b}; echo $#; echo "${x:-"q r"}" "${x:-'s'}"; ` +
		`echo ${x:-'t  u'}`,
	`set -x; echo a "b c"; x=1; f() { :; }; f q`,
	`set -- -n x; echo "$@"; echo "$1"; set -e -- a; echo $1 $-; set +e; set -o errexit; echo $-; set -o nosuch; ` +
		`echo no`,
	`return 3; echo no`,
	`break; echo ok; for i in 1; do (break); echo in; done`,
	`exit 300`,
	`exec nosuch; echo no`,
	`exec echo replaced; echo no`,
	`kill -l | head -3 | wc -l; kill -0 $$; echo $?; kill -0 99999999; echo $?; kill; echo $?; kill -NOSUCH 1; ` +
		`echo $?; kill abc; echo $?`,
	`shift 5; echo no`,
	`shift; echo no`,
	`local x=1; echo no`,
	`unset -f nosuch; echo $?; f() { echo f; }; unset -f f; f; echo $?`,
	`x=abc; echo ${x#?} ${x%?} ${x#[a]} ${x%%[bc]*}`,
	`cat <<E | tr a b
aaa $(echo sub) ${x:-dflt}
E`,
	`f() { cat; }; echo piped | f; f <<E
doc
E
f </dev/null; echo $?`,
	`if [ -t 0 ]; then echo tty; else echo notty; fi; echo ${PPID:+set}`,
	`for i in a b; do echo $i; done >f; cat f; while read l; do echo "got $l"; done <f; (cat) <f; { cat; } <f; ` +
		`if true; then cat; fi <f`,
	`x=1; x=2 y=$x; echo $x $y; a=1 b=$a sh -c 'echo "$a-$b"'`,
	`case $(echo b) in a) echo 1;; b) echo 2;& esac`,
	`echo $(( 9223372036854775807 + 1 )) $((-9223372036854775808)); echo $((abc=5, abc)); echo no`,
	`hash; times >/dev/null; ulimit -n >/dev/null; true && ! false; echo $?`,
	`f() { return; }; false; f; echo $?; true; f; echo $?`,
	`set a b; f() { set -- x; echo $1; }; f; echo $1; shift; echo $1`,
	`alias x=y 2>/dev/null; echo "${IFS}" | od -c | head -1`,
	`yes | head -2; seq 100000 | head -1; seq 3 | tail -1`,
	`(trap 'echo sub' EXIT; exit 2); echo $?; trap 'echo T' EXIT; sh -c 'exit 1'; echo $?`,
	`head -c 5; echo; head -n 1; cat`,
	`while read -r l; do echo "[$l]"; done; echo "[$l]"`,
	`x='a
b'; echo $x; echo "$x"; echo "$x" | wc -l`,
	`echo é | wc -c; x=é; echo ${#x}; echo ${x#?} | od -An -tx1`,
	`test -e /etc/passwd && echo yes; [ -r /etc/passwd -a ! -d /etc/passwd ] && echo yes; [ "a" "<" "b" ]; ` +
		`echo $?; [ -e "" ]; echo $?`,
	`echo "$(cat <<E
in subst
E
)"; echo $(echo "a)b")`,
	`eval 'f() { echo from eval $1; }'; f 1; f 2 >o; cat o; f 3 | cat`,
	`x=$(trap 'echo trapped' EXIT); echo "$x"; y=$(sh -c 'echo e >&2; echo o' 2>&1); echo "$y"`,
	`[ $(( $(echo 2) * 3 )) = 6 ] && echo six; echo "a$(printf 'b')c"d`,
	`echo 1 >a; exec 5<>a; read x <&5; echo $x; echo 2 >&5; cat a; exec 5>&-; echo q >&5; echo $?`,
	`f=x; echo "$f"/*.nosuch; ls *.nosuch; echo $?`,
	`echo a | while read x; do exit 5; done; echo $?; echo a | (read x; echo "r $x")`,
	`readonly; export; set -- 'a b' "c"; echo "${1}" "${10-none}" $10`,
	`echo ${#} ${#1} ${?} "${@}"`,
	`true;true; echo $?&&echo x||echo y`,
	`if ! grep -q nosuch /etc/passwd; then echo absent; fi; grep -q root /etc/passwd || echo no`,
	`echo "\$x \"q\" \\ \a" '\$x'; echo \$x \\ \"`,
}

func TestShellLikeDash(t *testing.T) {
	debiantest.Compare(t, real.Missing, shellScripts)
}

// shellCorners are what scripts seldom do.
var shellCorners = []string{
	`x=path/to/file.tar.gz; echo ${x#*/} ${x##*/} ${x%.*} ${x%%.*} ${#x} ${x%/*} "${x#"path/"}" ${x#nosuch}; ` +
		`y='*'; echo "${x#$y/}" "${x#"$y"/}"; echo "${x%"${x#path}"}"; z=; echo "${z:-$x}" "${z-$x}" ${z:+no}end ` +
		`"${z:=new}" $z; echo "${q:-"a b"}" ${q:-'a b'} "${q:-'a b'}" ${q:-"$x"}; set -- a b c; ` +
		`echo ${#} ${#@} "${@:-none}" ${1#a}x "${2%b}y"; echo "${x%%[./]*}" "${x#[a-p]}" "${x##*[!a-z]}"; a=abc; ` +
		`echo "${a%?}" "${a#?}" "${a%%b*}" "${a##*b}"`,
	`trap 'echo a "b" '"'c'" USR1; trap; trap "it''s" HUP; trap -- 'x' 2; trap; trap - USR1 2; trap; ` +
		`trap nosuch; echo $?; trap x FOO; echo $?; trap x INT FOO; echo $?; trap; v="a'b''c'"; set | grep ^v=; ` +
		`export v; export -p | grep ' v='; readonly v; readonly -p | grep v=; v=1; echo never`,
	`echo $((1+2*3)) $((7/2)) $((7%3)) $((-7/2)) $((-7%3)) $((1<<4)) $((0x1f)) $((010)) $((5>3)) $((5==5 && ` +
		`3!=2)) $((!0)) $((~0)) $((1?2:3)); x=5; echo $((x+1)) $(($x*2)) $((x+=2)) $x $((x=9)) $x $((y)) ` +
		`$((y+1)); echo $(( (1+2) * 3 )) $((2>1?10:20)) $((3|4)) $((6&3)) $((6^3)); z=' 3 '; echo $((z+1)); n=; ` +
		`echo $((n+1)); echo $((1/0)); echo never`,
	`x=5; echo $((x++)); echo never`,
	`echo $((08)); echo never`,
	`echo $((1,2)); echo never`,
	`x=abc; echo $((x)); echo never`,
	`cat <<E
a $x $(echo b) \$c ` + "`" + `echo d` + "`" + ` \\ "q" 'r'
E
cat <<'E'
a $x $(echo b) \$c
E
cat <<-E
	tab
		two
	E
x=1; cat <<E; echo after
${x:-"q"} ${y:-'s'} $((x+1)) \
joined
E
while read l; do echo "[$l]"; done <<E
one
two  
 three
E
cat <<A; cat <<B
a
A
b
B
f() { cat <<E
in f $1
E
}; f 2 | cat; cat <<"E F"
x
E F`,
	`printf 'a b c\n  d  e \\ f\nlast' >f; while read x y; do echo "[$x][$y]"; done <f; echo "$x"; ` +
		`while IFS= read -r l; do echo "[$l]"; done <f; read x <f; echo $x; { read a; read b; echo "$a/$b"; ` +
		`} <f; IFS=: read x y z <<E
1:2::3:4
E
echo "$x|$y|$z"; echo 'a\tb\\c\
d' | { read l; echo "$l"; }; echo 'a\b' | { read -r l; echo "$l"; }; printf 'x' | { read l; echo $? "$l"; }; ` +
		`read l </dev/null; echo $? "[$l]"; echo ' a ' | { read l; echo "[$l]"; }; echo ' a ' | { IFS= read l; ` +
		`echo "[$l]"; }; echo '  x  y  ' | { read a b; echo "[$a][$b]"; }; read; echo $?; echo a | read 1x; ` +
		`echo $?; printf 'a:b:\n' | { IFS=: read x y; echo "[$x][$y]"; }; printf ':a\n' | { IFS=: read x y; ` +
		`echo "[$x][$y]"; };  printf 'a\0b\n' | { read l; echo "$l"; }; printf 'a\\:b:c\n' | { IFS=: read x y; ` +
		`echo "[$x][$y]"; }; printf 'a : b : c\n' | { IFS=' :' read x y; echo "[$x][$y]"; }; ` +
		`read -p prompt l </dev/null; echo $?; read -t 1 l </dev/null; echo $?; read -n 1 l; echo $?`,
	`printf '%s %d %5d|%-5d|%05d|%x|%X|%o|%c|%%\n' a 1 2 3 4 255 255 8 xyz; printf '%s\n' a b c; ` +
		`printf '%s-%s\n' a b c; printf '%b|' 'a\tb\n' '\101' '\0101' 'x\cy' z; echo; ` +
		`printf '%d\n' 0x10 010 "'a" '"b' x 3x ''; echo $?; printf '%5.2s|%.3d|%+d|% d\n' abc 5 5 5; ` +
		`printf '\101\x41\n\e'; printf '%*d|%-*d|\n' 5 1 4 2; printf; echo $?; printf '%q' a; echo $?; ` +
		`printf -- '-a\n'; printf '%s'; printf '\\n\n'; printf 'a\cb'; printf '%i %u\n' -1 -1; ` +
		`printf '%e %f %g\n' 1.5 1.5 1.5; printf '%s\n'; printf '%d %s\n' 1; printf "%z"; echo $?; ` +
		`printf '%s %s\n' "a b" 'c\n'; printf "a\\nb\0c\n" | od -c; printf %s a b; ` +
		`printf '%d\n' 99999999999999999999; echo $?; printf '%.2f|%5.1f|%-8s|%08.3f\n' 3.14159 2.55 ab 1.5; ` +
		`printf '%x\n' -1; printf '%3$s\n' a b c; echo $?`,
	`f() { local x=1 y; x=2; g; echo $x; }; g() { echo "g$x"; x=3; }; x=0; f; echo $x; h() { local x; ` +
		`echo "[${x-unset}]"; local IFS=,; set -- a b; echo "$*"; }; h; k() { local a=$1 b="$2"; echo "$a-$b"; ` +
		`return; }; k 'p' 'q r'; echo $?; m() { return $1; }; m 5; echo $?; n() { (exit 4); }; n; echo $?; ` +
		`f2() { f2() { echo second; }; echo first; }; f2; f2; unset -f f2; f2; echo $?; ` +
		`r() { [ $1 -gt 0 ] && { echo $1; r $(($1-1)); }; }; r 3; echo $?; x=5 f; x=9; v() { echo $x; }; x=7 v; ` +
		`echo $x; e() { export q=1; }; e; sh -c 'echo $q'; w() { echo $# "$@"; set -- z; echo $1; }; set -- o p; ` +
		`w a b c; echo $1; cd() { command cd "$@" && echo moved; }; cd .; unset -f cd; s() { exit 3; }; (s); ` +
		`echo $?; t() { return 7; echo no; }; t || echo $?; u() { echo $1; shift; echo $1; shift; ` +
		`echo ${1-none}; }; u a b; return 3; echo never`,
	`local z; echo never`,
	`echo out; echo err >&2; { echo a; echo b >&2; } 2>&1 | cat; ls nosuch 2>/dev/null; echo x >f; echo y >>f; ` +
		`cat <f; exec 3>g; echo three >&3; exec 3>&-; cat g; echo z >&3; echo $?; exec 4<f; read l <&4; echo $l; ` +
		`read l <&4; echo $l; exec 4<&-; cat <&4; echo $?; echo a >nosuch/f; echo $?; : >|f; set -C; echo b >f; ` +
		`echo $?; echo c >|f; cat f; set +C; echo d 1>f 2>&1; cat f; >e; ls e; cat <nosuch; echo $?; ` +
		`echo hi >&1 >/dev/null; { echo 1; echo 2 >&2; } >o 2>&1; cat o; exec 5<>f; echo rw >&5; cat f; ` +
		`echo a 3>&1 >&3; echo x >&9; echo $?; echo a >&o; echo $?; f() { echo inf; echo err >&2; } >fo 2>&1; f; ` +
		`cat fo; while read l; do echo "l$l"; done <f >p; cat p; if true; then echo y; fi >q; cat q; (echo sub; ` +
		`exit 3) >r; echo $?; cat r; echo both > s 2> t; ls s t; exec 6>&1 >u; echo hidden; exec >&6 6>&-; ` +
		`cat u; cat <<E >v
here
E
cat v; : >/nosuch/x || echo failed; exec 7<nosuch; echo never`,
	`echo a | tr a b | cat -; (echo s; exit 3) | cat; echo $?; false | true; echo $?; true | (exit 4); echo $?; ` +
		`! false; echo $?; ! true | false; echo $?; echo $(echo a; echo b) "$(echo c; echo; echo)"; echo ` + "`" +
		`echo \` + "`" + `echo n\` + "`" + `` + "`" + `; x=$(printf 'a\n\n'); echo "[$x]"; y=` + "`" + `echo '\\'` +
		"`" + `; echo "$y"; echo "$(echo "q $(echo "r")")"; echo $(cat <f 2>&1); z=$(exit 6); echo $?; ` +
		`echo "${PIPESTATUS-none}"; x=1 | cat; echo $x; echo a | { read v; echo $v; }; echo "[$v]"; ` +
		`sleep 0 & wait $!; echo $?; (exit 9) & wait $!; echo $?; wait; echo $?; wait 99999; echo $?; ` +
		`{ sleep 5 & } ; kill $!; wait $!; echo $?; yes | head -n 1; seq 100000 | head -n 1; ` +
		`echo "${RANDOM-}" "${BASH-}" "${SECONDS-}"; echo $-; echo $0 $#; sh -c 'echo $0 $1' a b; ` +
		`sh -c 'exit 300'; echo $?; (exit 256); echo $?; exit -1; echo never`,
	`case abc in a*) echo 1;; *) echo 2;; esac; case "a*" in "a*") echo q;; esac; case x in a|b|x) echo alt;; ` +
		`esac; case '' in '') echo empty;; esac; x='*'; case foo in $x) echo glob;; esac; ` +
		`case foo in "$x") echo no;; *) echo lit;; esac; case a in [a-c]) echo range;; esac; ` +
		`case ] in []]) echo br;; esac; case a in (a) echo paren;; esac; case z in a) ;; esac; echo $?; ` +
		`case x in x) false;; esac; echo $?; case 'a b' in a\ b) echo esc;; esac; ` +
		`case "$(echo x)" in x) echo sub;; esac; case -x in -*) echo dash;; esac; case a.b in *.*) echo dot;; ` +
		`esac; case a in a) case b in b) echo nest;; esac;; esac; case $'\t' in x) ;; *) echo dollar;; esac; ` +
		`case [ in [) echo lb;; esac; case 'a]' in *]) echo rb;; esac; case 10.1.2.3 in [0-9]*.[0-9]*) echo ip;; ` +
		`esac; case abc in a?c) echo qm;; esac; case A in [[:upper:]]) echo up;; esac; ` +
		`case b in [!a]) echo neg;; esac; case b in [^a]) echo caret;; esac; case '\' in '\') echo bs;; esac; ` +
		`case '\' in \\) echo bs2;; esac; case a-b in [a-z]-[a-z]) echo d;; esac; case 'x
y' in *'
'*) echo nl;; esac; case abc in *"b"*) echo part;; esac; case "$x" in \*) echo star;; esac; ` +
		`case a/b in */*) echo slash;; esac; case .h in *) echo hid;; esac; case é in ?) echo one;; ` +
		`??) echo two;; esac`,
	`[ a = a ] && echo 1; [ a != b ] && echo 2; [ -n "" ] || echo 3; [ -z "" ] && echo 4; [ "" ] || echo 5; ` +
		`[ 1 -lt 2 -a 2 -lt 3 ] && echo 6; [ ! -e nosuch ] && echo 7; [ \( a = b \) -o c = c ] && echo 8; ` +
		`[ 1 -eq x ]; echo $?; [ a; echo $?; [ a b ]; echo $?; test; echo $?; [ ]; echo $?; [ -f ]; echo $?; ` +
		`touch f; [ -f f ] && [ -s f ] || echo empty; touch -d @5 g; [ f -nt nosuch ] && echo nt; ` +
		`[ nosuch -ot f ] && echo ot; [ g -ot f ] && echo ot2; [ f -ef f ] && echo ef; [ -t 0 ]; echo $?; ` +
		`[ 08 -eq 8 ] && echo oct; [ ' 5 ' -eq 5 ]; echo $?; [ 1 = 1 = 1 ]; echo $?; [ a \< b ] && echo lt; ` +
		`[ -d . ] && [ -x . ] && [ -r . ] && [ -w . ] && echo dir; ln -s nosuch l; ` +
		`[ -h l ] && [ -L l ] && echo link; [ -e l ] || echo dangling; [ ! a ]; echo $?; [ ! ]; echo $?; [ -z ]; ` +
		`echo $?; [ = ]; echo $?; [ -n = ]; echo $?; [ a -a '' ]; echo $?; [ 99999999999999999999 -gt 1 ]; ` +
		`echo $?; [ -v x ]; echo $?; [[ a = a ]]; echo $?; [ a == a ]; echo $?; [ -O f ] && echo O; ` +
		`[ -u f ] || echo nou; [ -k /tmp ] && echo k; [ -p f ]; echo $?; [ -S f ]; echo $?; ` +
		`[ -c /dev/null ] && echo c; [ -b /dev/null ]; echo $?; [ ! 1 -eq 2 -a 1 = 1 ]; echo $?; [ -5 -lt 3 ]; ` +
		`echo $?; [ + = + ]; echo $?; [ '(' = '(' ]; echo $?; [ '!' = a ]; echo $?; [ -e '' ]; echo $?; ` +
		`[ -d nosuch/x ]; echo $?; [ 1 -eq '' ]; echo $?; [ -a = -a ]; echo $?`,
	`while getopts ab:c o -a -b x -c y; do echo "$o ${OPTARG-} $OPTIND"; done; echo $OPTIND; OPTIND=1; ` +
		`while getopts :ab: o -x -b; do echo "$o $OPTARG"; done; OPTIND=1; getopts a o -z; echo $? $o; ` +
		`f() { while getopts n: o; do echo "f$o$OPTARG"; done; shift $((OPTIND-1)); echo "$@"; }; OPTIND=1; ` +
		`f -n5 x y; OPTIND=1; set -- -ab v w; while getopts ab: o; do echo $o $OPTARG; done; ` +
		`shift $((OPTIND - 1)); echo $@; set -- -- a; OPTIND=1; getopts a o; echo $? $OPTIND`,
	`set -x; echo a; x=1; [ $x = 1 ] && echo b 'c d' "e'f"; for i in 1 2; do :; done; set +x; echo c; set -v; ` +
		`echo d`,
	`eval 'echo a; echo "b  c"'; eval; echo $?; eval false; echo $?; x='echo $y'; y=5; eval $x; eval "z=\$y"; ` +
		`echo $z; eval 'f() { echo ef; }'; f; eval 'exit 3' ; echo never`,
	`echo 'echo dotted $1; v=3; return 4; echo no' >s; . ./s; echo $? $v; . ./s arg; . s; echo $?; . ./nosuch; ` +
		`echo never`,
	`command -v sh ls cd nosuch f; echo $?; f() { :; }; command -v f; command -V cd; type cd ls nosuch f; ` +
		`echo $?; command echo x; command nosuch; echo $?; hash nosuch; echo $?; builtin x; echo $?; ` +
		`command -p echo y; nosuch; echo $?; ./nosuch; echo $?; touch n; ./n; echo $?; mkdir d; ./d; echo $?; d; ` +
		`echo $?; exec nosuch; echo never`,
	`alias x=y; echo $?; times >/dev/null; echo $?; ulimit -n >/dev/null; echo $?; let 1; echo $?; source ./x; ` +
		`echo $?; declare x; echo $?; shopt; echo $?; pushd .; echo $?; echo -e 'a\tb'; echo -n x; echo; ` +
		`echo 'a\nb'; echo -- a; echo -E b; echo 'a\cb'; echo; echo '\0101\101'; echo -n; echo -ne x; pwd; ` +
		`pwd -P; cd nosuch; echo $?; cd -; echo $?; cd /; cd - >/dev/null; pwd; cd ''; echo $?; cd; pwd; cd a b; ` +
		`echo $?; unset PWD; pwd; true x; : x; false; echo $?; jobs; fg; echo $?; disown; echo $?; ` +
		`printf '%s\n' {a,b}; echo a{1..3}; echo $'a\tb'; echo "a
b"; function g { echo; }; echo never`,
	`(set -e; false; echo no); echo $?; (set -u; echo $nope; echo no); echo $?; sh -e -c 'false; echo no'; ` +
		`echo $?; sh -c 'set -eu; x=; echo ${x:?empty}; echo no'; echo $?; sh -ec 'trap "echo t" EXIT; false'; ` +
		`echo $?; sh -uc 'echo $1' ; echo $?; sh -c; echo $?; sh nosuch; echo $?; ` +
		`echo 'echo stdin $1' | sh -s a; echo 'echo x' | sh; sh -x -c 'echo x'; sh -c 'echo $-'; ` +
		`sh -euc 'echo $-'; sh -o errexit -c 'echo $-'; sh -z; echo $?; sh +e -c 'echo ok'; set -o pipefail; ` +
		`echo $?; set -o | head -3; set -e; set -o | grep errexit; set +e; set -- -a b; echo $1; set a b; ` +
		`echo $2; set -k; echo never`,
	`for i; do echo no; done; set -- a 'b c'; for i; do echo "[$i]"; done; for i in; do echo no; done; ` +
		`for i in 1 2 3; do [ $i = 2 ] && continue; echo $i; done; for i in 1 2 3; do for j in a b; ` +
		`do [ $j = b ] && continue 2; [ $i = 3 ] && break 2; echo $i$j; done; done; echo $i; while true; ` +
		`do break; done; echo $?; until false; do echo u; break; done; i=0; while [ $i -lt 3 ]; do i=$((i+1)); ` +
		`done; echo $i; for x in *; do echo "$x"; done; if false; then :; elif true; then echo elif; ` +
		`else echo no; fi; if false; then :; fi; echo $?; false; for i in; do :; done; echo $?; { echo g; }; ` +
		`(echo s); for i in a b; do echo $i; done | cat; while read x; do n=$((n+1)); done <<E
1
2
E
echo $n; break; echo $?; continue 5; echo $?`,
}

// TestShellCornersLikeReal covers what scripts rarely need and must not get wrong.
func TestShellCornersLikeReal(t *testing.T) {
	debiantest.Compare(t, real.Missing, shellCorners)
}
