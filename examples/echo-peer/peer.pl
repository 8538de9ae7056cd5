#!/usr/bin/perl
# A peer of Handfast's contract in plain Perl, no modules to install. Its protocol is a toy: POST /message with
# {"from", "type", "body", ...}. A "hello" opens a session; a "message" is kept, and sent back as an "echo".
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
my $name = $ENV{HANDFAST_NAME} // 'echo';
my ($host, $port) = split /:/, $ENV{HANDFAST_LISTEN} // '127.0.0.1:0';
my (%peers, %sessions, @inbox, %talk);    # %talk: what is open on each socket
my ($events, $opened, $open) = (0, 0, IO::Select->new(\*STDIN));
$| = 1;
$SIG{PIPE} = 'IGNORE';
# JSON. Texts stay as they are spelt, escapes and all; numbers, true, false and null are references to their spelling.
my ($true, $false, $null) = map { my $word = $_; \$word } qw(true false null);
my $in;

sub value {
    $in =~ /\G\s*/gc;
    if ($in =~ /\G"((?:[^"\\\x00-\x1f]|\\.)*)"/gc) { my $text = $1; return $text }
    if ($in =~ /\G(-?\d[\d.eE+-]*|true|false|null)/gc) { my $word = $1; return \$word }
    if ($in =~ /\G\[\s*/gc) {
        my @list;
        until ($in =~ /\G\s*\]/gc) { !@list or $in =~ /\G\s*,/gc or die "no JSON\n"; push @list, value() }
        return \@list;
    }
    $in =~ /\G\{/gc or die "no JSON\n";
    my %object;
    until ($in =~ /\G\s*\}/gc) {
        !%object or $in =~ /\G\s*,/gc or die "no JSON\n";
        my $key = value();
        ($object{$key}) = !ref $key && $in =~ /\G\s*:/gc ? value() : die "no JSON\n";
    }
    return \%object;
}

sub parsed { ($in) = @_; pos($in) = 0; return value() }

sub text {
    my ($value) = @_;
    my $kind = ref $value;
    return $$value if $kind eq 'SCALAR';
    return '[' . join(',', map { text($_) } @$value) . ']' if $kind eq 'ARRAY';
    return '{' . join(',', map { text($_) . ':' . text($value->{$_}) } sort keys %$value) . '}' if $kind;
    return "\"$value\"";
}

# The contract: lines on stdin and stdout.
sub number { my $word = 0 + $_[0]; return \$word }
sub say_line { print text({ jsonrpc => '2.0', @_ }), "\n" }
sub event { my ($event, %more) = @_; say_line(method => $event, params => { n => number(++$events), %more }) }
sub refuse { my ($id, $code) = @_; say_line(id => $id, error => { code => number(-32000), message => 'refused', data => { code => $code } }) }

my $server = IO::Socket::INET->new(LocalAddr => $host, LocalPort => $port, Listen => 64, ReuseAddr => 1)
    or die "cannot listen on $host:$port: $!\n";
our %methods;
%methods = (
    'initialize' => sub { {
        contract => '1', name => $name, version => '1', protocol_versions => ['toy'], methods => [sort keys %methods],
        events => ['message.received', 'session.ready'], keys => {}, addresses => { http => "http://$host:" . $server->sockport },
    } },
    'peer.add' => sub { $peers{ $_[0]{name} } = $_[0]{address}; {} },
    'peer.list' => sub { { peers => [map { { name => $_, address => $peers{$_}, key => $null, trust => 'first_use', proved => $null, healthy => $null } } sort keys %peers] } },
    'session.list' => sub { { sessions => [map { $sessions{$_} } sort keys %sessions] } },
    'session.open' => sub {
        my ($with, $id) = @_;
        my $session = sprintf '%08x-0000-4000-8000-%012x', $$, ++$opened;
        post($id, $with->{to}, 'hello', {}, $session, sub { my %known = %{ ready($session, $with->{to}, 'initiator') }; delete @known{qw(peer_key generation sealed)}; \%known });
    },
    'message.send' => sub {
        my ($with, $id) = @_;
        my ($session) = grep { $sessions{$_}{peer} eq $with->{to} } sort keys %sessions;
        post($id, $with->{to}, $with->{type} // 'message', $with->{body}, $session // $null, sub { $_[0] });
    },
    'message.inbox' => sub {
        my ($with) = @_;
        my ($after, $limit) = map { ref $_ eq 'SCALAR' && $$_ =~ /^\d+$/ ? $$_ : die 'not a number' } $with->{after} // \0, $with->{limit} // \100;
        my @found = grep { ${ $_->{index} } > $after && (!$with->{from} || $with->{from} eq $_->{from}) } @inbox;
        splice @found, $limit if @found > $limit;
        return { messages => \@found, next => @found ? $found[-1]{index} : number($after) };
    },
    'shutdown' => sub { {} },
);

sub ready {
    my ($session, $peer, $role) = @_;
    my %known = (id => $session, peer => $peer, version => 'toy', role => $role);
    event('session.ready', %known);
    return $sessions{$session} = { %known, state => 'ready', peer_key => $null, generation => $null, sealed => $false };
}

# A post goes on beside everything else: its answer comes by the loop. Without an id nobody waits for it.
sub post {
    my ($id, $to, $type, $body, $session, $result) = @_;
    my $address = $peers{$to // ''} or return $id && refuse($id, 'UNKNOWN_RECIPIENT');
    my ($at) = $address =~ m{^http://([^/]+)};
    my $socket = IO::Socket::INET->new(PeerAddr => $at) or return $id && refuse($id, 'UNREACHABLE');
    my %sent = (session => $session, sequence => $null, number => $null, version => 'toy', sealed => $false);
    my $data = text({ from => $name, type => $type, body => $body, %sent });
    print $socket "POST /message HTTP/1.1\r\nHost: $at\r\nConnection: close\r\nContent-Length: ", length $data, "\r\n\r\n$data";
    $socket->flush;
    $talk{$socket} = { id => $id, sent => \%sent, result => $result, got => '' };
    $open->add($socket);
    return;
}

sub received {    # somebody's POST, whole
    my $message = eval { parsed($_[0]) } or return 400;
    if ($message->{type} eq 'hello') { ready($message->{session}, $message->{from}, 'responder'); return 200 }
    push @inbox, { %$message, index => number(@inbox + 1), received_at => '' };
    event('message.received', %$message);
    post(undef, $message->{from}, 'echo', $message->{body}, $message->{session}) if $message->{type} eq 'message';
    return 200;
}

sub asked {       # a line of the contract
    my $request = parsed($_[0]);
    my $id = $request->{id} // return;    # `$/cancel` has none, and nothing here takes long
    my $method = $methods{ $request->{method} } or return say_line(id => $id, error => { code => number(-32601), message => 'unknown method' });
    my $result = eval { $method->($request->{params} // {}, $id) };
    return say_line(id => $id, error => { code => number(-32602), message => 'wrong parameters' }) if $@;
    say_line(id => $id, result => $result) if ref $result;
    exit 0 if $request->{method} eq 'shutdown';
}

# The loop: whatever has something to read, a piece of it at a time.
$open->add($server);
my $lines = '';
while (my @ready = $open->can_read) {
    for my $from (@ready) {
        if ($from == $server) { my $new = $server->accept or next; $talk{$new} = { got => '' }; $open->add($new); next }
        my $got = $from == \*STDIN ? \$lines : \$talk{$from}{got};
        my $more = sysread $from, $$got, 65536, length $$got;
        if ($from == \*STDIN) { $more or exit 0; asked($1) while $lines =~ s/^(.*)\n//; next }
        my $talk = $talk{$from};
        my $whole = $$got =~ /\r\n\r\n/ && do { my $head = $+[0]; $$got =~ /^content-length: *(\d+)/im && length($$got) >= $head + $1 && \substr $$got, $head, $1 };
        next if $more && !$whole;
        if (!$talk->{sent}) {
            my $status = $whole ? received($$whole) : 400;
            print $from "HTTP/1.1 $status Done\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
        } elsif ($talk->{id}) {
            my ($status) = $$got =~ m{^HTTP/1\.\d (\d+)};
            if (($status // 0) == 200) { say_line(id => $talk->{id}, result => $talk->{result}->({ %{ $talk->{sent} }, status => number($status) })) }
            else { refuse($talk->{id}, $status ? "STATUS_$status" : 'UNREACHABLE') }
        }
        $open->remove($from);
        delete $talk{$from}, close $from;
    }
}
