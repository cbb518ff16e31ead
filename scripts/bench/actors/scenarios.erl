%% The scenarios of scenario.ts in plain Erlang processes, on one scheduler, since the others have one thread too.
%% erl +S 1:1 -noshell -run scenarios main <scenario> <play milliseconds>
-module(scenarios).
-export([main/1]).

-define(BATCH, 10000).
-define(CROWD, 1000).
-define(BUSY_US, 50).
-define(SPAWNED, 20000).
-define(IDLE, 50000).

main([Scenario, PlayMs]) ->
    io:format("~p~n", [float(play(Scenario, list_to_integer(PlayMs)))]),
    halt(0).

play("hot actor", Ms) ->
    Hot = counter(?BATCH),
    rate(Ms, ?BATCH, fun() -> [Hot ! N || N <- lists:seq(1, ?BATCH)], await(1) end);
play("1,000 actors", Ms) ->
    Each = ?BATCH div ?CROWD,
    Crowd = [counter(Each) || _ <- lists:seq(1, ?CROWD)],
    rate(Ms, ?BATCH, fun() -> [[A ! N || A <- Crowd] || N <- lists:seq(1, Each)], await(?CROWD) end);
play("ping-pong", Ms) ->
    Main = self(),
    Pong = spawn(fun() -> pong() end),
    Ping = spawn(fun() -> ping(Main, Pong) end),
    rate(Ms, ?BATCH, fun() -> Ping ! {start, ?BATCH}, await(1) end);
play("ask", Ms) ->
    Echo = spawn(fun() -> echo() end),
    rate(Ms, 100, fun() ->
        Refs = [begin R = make_ref(), Echo ! {self(), R}, R end || _ <- lists:seq(1, 100)],
        [receive R -> ok after 5000 -> exit(timeout) end || R <- Refs]
    end);
play("fan-out to 1,000", Ms) ->
    Leaves = [counter(1) || _ <- lists:seq(1, ?CROWD)],
    Source = spawn(fun() -> source(Leaves) end),
    rate(Ms, ?CROWD, fun() -> Source ! go, await(?CROWD) end);
play("hot beside 1,000 busy peers", Ms) ->
    Count = counters:new(1, []),
    Hot = spawn(fun() -> counting(Count) end),
    [spawn(fun() -> self() ! go, busy() end) || _ <- lists:seq(1, ?CROWD)],
    spawn(fun() -> feed(Hot) end),
    timer:sleep(200),
    Before = counters:get(Count, 1),
    T0 = erlang:monotonic_time(microsecond),
    timer:sleep(4 * Ms),
    (counters:get(Count, 1) - Before) * 1.0e6 / (erlang:monotonic_time(microsecond) - T0);
play("spawn and stop 20,000", _) ->
    T0 = erlang:monotonic_time(microsecond),
    All = [spawn_monitor(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, ?SPAWNED)],
    [P ! stop || {P, _} <- All],
    [receive {'DOWN', M, process, P, _} -> ok end || {P, M} <- All],
    ?SPAWNED * 1.0e6 / (erlang:monotonic_time(microsecond) - T0);
play("memory per idle actor", _) ->
    Before = erlang:memory(processes),
    [spawn(fun() -> receive stop -> ok end end) || _ <- lists:seq(1, ?IDLE)],
    (erlang:memory(processes) - Before) / ?IDLE.

rate(Ms, Operations, Batch) ->
    _ = repeat(Ms * 1000, Batch),
    {Batches, Us} = repeat(Ms * 1000, Batch),
    Batches * Operations * 1.0e6 / Us.

repeat(ForUs, Batch) -> repeat(erlang:monotonic_time(microsecond), ForUs, Batch, 0).
repeat(T0, ForUs, Batch, N) ->
    case erlang:monotonic_time(microsecond) - T0 of
        Us when Us >= ForUs -> {N, Us};
        _ -> Batch(), repeat(T0, ForUs, Batch, N + 1)
    end.

await(0) -> ok;
await(N) -> receive done -> await(N - 1) end.

%% Says `done` to its maker after every Each messages.
counter(Each) -> Main = self(), spawn(fun() -> counter(Main, Each, Each) end).
counter(Main, Each, 0) -> Main ! done, counter(Main, Each, Each);
counter(Main, Each, Left) -> receive _ -> counter(Main, Each, Left - 1) end.

ping(Main, Pong) -> receive {start, N} -> ping(Main, Pong, N) end.
ping(Main, Pong, 0) -> Main ! done, ping(Main, Pong);
ping(Main, Pong, N) -> Pong ! self(), receive pong -> ping(Main, Pong, N - 1) end.
pong() -> receive From -> From ! pong, pong() end.

echo() -> receive {From, Ref} -> From ! Ref, echo() end.
source(Leaves) -> receive go -> [L ! go || L <- Leaves], source(Leaves) end.

counting(Count) -> receive _ -> counters:add(Count, 1, 1), counting(Count) end.
feed(Hot) -> [Hot ! N || N <- lists:seq(1, 1000)], case process_info(Hot, message_queue_len) of
    {_, Len} when Len > 100000 -> timer:sleep(1); _ -> ok end, feed(Hot).
busy() -> receive go -> spin(erlang:monotonic_time(microsecond) + ?BUSY_US), self() ! go, busy() end.
spin(Until) -> case erlang:monotonic_time(microsecond) of T when T >= Until -> ok; _ -> spin(Until) end.
