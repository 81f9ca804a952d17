package hosttest

import "testing"

func TestShellLikeDash(t *testing.T) {
	compare(t, []string{
		`echo hello world; echo "a  b" 'c  d' e\ f`,
		`x=1; y=$x$x; echo "$y" ${y}z ${#y}`,
		`echo "${x-unset}" "${x:-null}" "${x+set}"; x=; echo "${x-unset}" "${x:-null}" "${x+set}" "${x:+full}"`,
		`: ${x:=value}; echo $x`,
		`echo ${x?gone}; echo no`,
		`echo ${x:?}; echo no`,
		`set -u; echo $nope; echo no`,
		`x=/usr/lib/a.tar.gz; echo ${x##*/} ${x%.*} ${x%%.*} ${x#*/} ${x%"gz"}`,
		`x='a*b'; echo ${x#a\*} "${x%\*b}"`,
		`set -- a 'b c' d; for i in "$@"; do echo "<$i>"; done; for i in $*; do echo "[$i]"; done; echo "$*" $#; shift; echo $1; IFS=,; echo "$*"`,
		`set --; for i in "$@"; do echo x; done; echo "n$#" "$@"`,
		`IFS=:; x=a:b::c:; for i in $x; do echo "<$i>"; done`,
		`IFS=' :'; x=' a : b:c '; for i in $x; do echo "<$i>"; done`,
		`x='1  2'; set -- $x; echo $#; set -- "$x"; echo $#`,
		`if true; then echo y; else echo n; fi; if false; then echo y; elif true; then echo e; fi`,
		`i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done; until [ $i -eq 0 ]; do i=$((i-1)); done; echo $i`,
		`for i in 1 2 3; do for j in a b; do [ $j = b ] && continue 2; echo $i$j; done; done; for i in 1 2; do break; done; echo $i`,
		`case abc in a*) echo glob;; esac; case x in y|x) echo alt;; esac; case q in [a-p]) echo no;; *) echo def;; esac; case "a*" in "a*") echo lit;; esac; case -- in --) echo dd;; esac`,
		`f() { echo "f $1 $#"; return 3; }; f a b; echo $?; f; g() { local x=2; echo $x; }; x=1; g; echo $x`,
		`f() { x=$1; [ $x -gt 0 ] && f $((x-1)); echo $1; }; f 2`,
		`echo $((1+2*3)) $(( (1+2)*3 )) $((7/2)) $((7%3)) $((1<<4)) $((0x1f)) $((010)) $((1==1)) $((1&&0)) $((1||0)) $((!1)) $((~1)) $((-5/2)) $((5>3?10:20))`,
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
		`nosuchcommand; echo $?; ./nosuch; echo $?; touch f; ./f; echo $?; mkdir d; ./d; echo $?; chmod +x f; ./f; echo $?`,
		`printf 'echo script $1 $0\n' >s; chmod +x s; ./s a; printf '#!/bin/sh\necho bang $1\n' >b; chmod +x b; ./b x; PATH=$PATH:. ; b y`,
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
		`printf 'a\\ b\\\nc d\n' | { read x y; echo "$x|$y"; }; printf 'a\\ b\n' | { read -r x y; echo "$x|$y"; }; printf '  lead trail  \n' | { read x; echo "<$x>"; }`,
		`printf 'a:b:c:\n' | { IFS=: read x y; echo "$x|$y"; }; printf 'a::b\n' | { IFS=: read x y z; echo "$x|$y|$z"; }; printf 'a:\n' | { IFS=: read x; echo "$x"; }`,
		`printf '%s-%d-%x-%o-%c-%5s|%-5s|%05d|%.2s|%%\n' a 10 255 8 xyz ab cd 42 abcdef; printf '%s %s\n' a b c; printf 'no newline'; printf '\t\101\n'; printf '%b' 'a\nb\0101\n'; printf '%d\n' 0x10 "'A" -5`,
		`printf '%d\n' abc; echo $?; printf '%q\n' a; echo $?; printf; echo $?`,
		`echo -n x; echo 'a\tb\nc'; echo 'a\cb'; echo; echo -e x; echo '\0101 \x41'`,
		`[ -z "" ] && [ -n a ] && [ a = a ] && [ a != b ] && [ 1 -lt 2 ] && echo ok; [ a = b -o 1 -eq 1 ] && echo or; [ ! -e /nonexist ] && echo not; [ ]; echo $?; [ a ]; echo $?`,
		`[ a b ]; echo $?; [ a b c ]; echo $?; [ 1 -eq x ]; echo $?; [ a = ; echo $?; [ -x a b ]; echo $?; test; echo $?; [ -f ]; echo $?; [ ! a ]; echo $?; [ "(" = "(" ]; echo $?; [ ! = a ]; echo $?; [ -n ]; echo $?; [ '!' ]; echo $?`,
		`touch f; mkdir d; ln -s f l; ln -s nosuch b; for x in f d l b n; do for o in e f d h L s r w x b c p S; do [ -$o $x ] && echo "$x $o"; done; done`,
		`touch -d @100 a; touch -d @200 b; [ b -nt a ] && echo nt; [ a -ot b ] && echo ot; ln a c; [ a -ef c ] && echo ef`,
		`command -v echo; command -v cat; command -v nosuch; echo $?; f() { :; }; command -v f; command -v if; command echo hi; command nosuch; echo $?; type echo nosuch; echo $?`,
		`umask; umask 027; umask; umask -S; touch f; mkdir d; stat -c %a f d; umask u=rwx,g=rx,o=; umask; umask 999; echo no`,
		`x=1 y=2 env | grep '^[xy]=' | sort; x=5; export x; sh -c 'echo $x'; unset x; echo "${x-gone}"; readonly r=1; r=2; echo no`,
		`x=1 :; echo "${x-unset}"; y=1 true; echo "${y-unset}"; f() { echo $z; }; z=3 f; echo "${z-unset}"`,
		`export A='q"x'\''y'; export -p | grep ' A='; set | grep '^A='`,
		`while getopts ab:c o -a -b val -cx rest; do echo "$o ${OPTARG-}"; done; echo $OPTIND; while getopts :a:b x -a; do echo "$x $OPTARG"; done; OPTIND=1; getopts a y -z; echo $y $?`,
		`sleep 0 & wait $!; echo $?; (exit 3) & wait $!; echo $?; wait; echo $?; wait 99999; echo $?; false & wait; echo $?`,
		`{ echo bg; } & wait; x=$(sleep 0; echo q) ; echo $x`,
		`echo *; touch a b .h; echo *; echo .*; echo ?; echo [ab]; echo [!a]; echo x*; echo "*"; set -f; echo *; mkdir d; touch d/e; set +f; echo */*; echo d/[e]`,
		`touch 'a b' 'c*d' "e'f"; for i in *; do echo "<$i>"; done; x='*'; echo $x; echo "$x"`,
		`echo ~ ~root ~nosuchuser "~"; x=~/a; echo $x; x=a:~/b; echo $x`,
		`echo $0 $#; sh -c 'echo $0 $1' name arg; sh -c 'echo "$@"' a b c; echo "echo s \$1" | sh -s q; echo 'echo in' | sh`,
		`echo "a\
b" a\
b; echo 'a\
b'; # comment
echo c # more`,
		`echo a; echo (`,
		"echo a\nif true\necho b",
		`fi`,
		`echo "unterminated`,
		`x=; echo ${x:-a b} ${x:-"a  b"} "${x:-a  b}"; set -- ${x:-a b}; echo $#; echo "${x:-"q r"}" "${x:-'s'}"; echo ${x:-'t  u'}`,
		`set -x; echo a "b c"; x=1; f() { :; }; f q`,
		`set -- -n x; echo "$@"; echo "$1"; set -e -- a; echo $1 $-; set +e; set -o errexit; echo $-; set -o nosuch; echo no`,
		`return 3; echo no`,
		`break; echo ok; for i in 1; do (break); echo in; done`,
		`exit 300`,
		`exec nosuch; echo no`,
		`exec echo replaced; echo no`,
		`kill -l | head -3 | wc -l; kill -0 $$; echo $?; kill -0 99999999; echo $?; kill; echo $?; kill -NOSUCH 1; echo $?; kill abc; echo $?`,
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
		`for i in a b; do echo $i; done >f; cat f; while read l; do echo "got $l"; done <f; (cat) <f; { cat; } <f; if true; then cat; fi <f`,
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
		`test -e /etc/passwd && echo yes; [ -r /etc/passwd -a ! -d /etc/passwd ] && echo yes; [ "a" "<" "b" ]; echo $?; [ -e "" ]; echo $?`,
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
	})
}
