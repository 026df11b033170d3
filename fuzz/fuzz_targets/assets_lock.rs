#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nbc_fuzz::run("assets_lock", data));
