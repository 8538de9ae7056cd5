use super::*;

fn line(text: &str) -> Fact {
    Fact::LogLine { role: "a".to_owned(), line: text.to_owned(), truncated: false }
}

fn texts(reader: &mut Reader) -> Vec<String> {
    std::iter::from_fn(|| reader.try_next())
        .map(|observation| {
            let Fact::LogLine { line, .. } = &observation.fact else { panic!("not a line") };
            line.clone()
        })
        .collect()
}

#[test]
fn every_reader_sees_every_fact_in_order() {
    let log = Evidence::new(Clock::start());
    let mut early = log.reader();
    log.record(line("one"));
    assert_eq!(texts(&mut early), ["one"]);
    log.record(line("two"));
    assert_eq!(texts(&mut early), ["two"]);
    assert_eq!(texts(&mut log.reader()), ["one", "two"]);
}

#[test]
fn times_never_fall() {
    let log = Evidence::new(Clock::start());
    for _ in 0..100 {
        log.record(line(""));
    }
    let mut reader = log.reader();
    let times: Vec<u64> =
        std::iter::from_fn(|| reader.try_next()).map(|observation| observation.at_us).collect();
    assert!(times.is_sorted() && times.len() == 100);
}

#[test]
fn facts_beyond_the_limit_are_counted_as_lost() {
    let log = Evidence::with_limits(Clock::start(), 2, FACT_BYTES_MAX);
    for text in ["one", "two", "three"] {
        log.record(line(text));
    }
    assert_eq!((texts(&mut log.reader()).len(), log.lost()), (2, 1));
}

#[test]
fn bytes_beyond_the_limit_are_counted_as_lost() {
    let size = line("12345").size_bytes();
    let log = Evidence::with_limits(Clock::start(), FACTS_MAX, size * 2);
    for text in ["12345", "123456", "54321", ""] {
        log.record(line(text));
    }
    assert_eq!(texts(&mut log.reader()), ["12345", "54321"]);
    assert_eq!(log.lost(), 2);
}

#[tokio::test]
async fn a_reader_waits_for_a_fact_and_sees_the_end() {
    let log = Evidence::new(Clock::start());
    let mut reader = log.reader();
    let waiting = tokio::spawn(async move {
        let first = reader.next().await;
        (first.is_some(), reader.next().await.is_none())
    });
    log.record(line("one"));
    log.close();
    assert_eq!(waiting.await.unwrap(), (true, true));
    log.record(line("late"));
    assert_eq!(log.lost(), 1);
}

fn exchange(len: usize) -> Fact {
    let head = hyper::Request::post("/message").body(()).unwrap().into_parts().0;
    let request = crate::tap::Request { head: Arc::new(head), body: vec![7; len].into() };
    let link = handfast_faults::Link::new("a", "b");
    let mut exchange = Exchange::new(link, Some(1), None, 0, &request);
    // Passed on as it came: the same memory.
    exchange.delivered = Some(exchange.request.clone());
    Fact::Exchange(Arc::new(exchange))
}

#[test]
fn a_file_of_any_size_passes_in_bounded_memory() {
    const MESSAGE_LEN: usize = 1 << 20;
    let log = Evidence::new(Clock::start());
    let whole = WHOLE_BYTES_MAX / MESSAGE_LEN;
    for _ in 0..1_000 {
        log.record(exchange(MESSAGE_LEN));
    }
    let mut reader = log.reader();
    let bodies: Vec<_> = std::iter::from_fn(|| reader.try_next())
        .map(|observation| {
            let Fact::Exchange(exchange) = &observation.fact else { panic!("no exchange") };
            let delivered = exchange.delivered.as_ref().unwrap();
            assert_eq!((exchange.request.len(), delivered.len()), (MESSAGE_LEN, MESSAGE_LEN));
            assert_eq!(exchange.request.is_cut(), delivered.is_cut());
            exchange.request.kept().len()
        })
        .collect();
    assert_eq!((bodies.len(), log.lost()), (1_000, 0));
    assert!(bodies[..whole].iter().all(|kept| *kept == MESSAGE_LEN));
    assert!(bodies[whole..].iter().all(|kept| *kept == CUT_LEN));
}
