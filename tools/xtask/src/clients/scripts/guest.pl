# A guest with LWP, which reads proxy and CA of the environment when `env_proxy` says so: `guest.pl BASE`.
use strict;
use warnings;
use LWP::UserAgent;

my $agent = LWP::UserAgent->new(env_proxy => 1, timeout => 20);
my $reply = $agent->get("$ARGV[0]/v1/models");
print $reply->code, " ", $reply->decoded_content, "\n";
