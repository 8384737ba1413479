// Rust: slices, strings, options, enumerations, structs by value and by reference, methods and generics.
use std::io::{BufRead, Write};

#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub enum Class {
    First = 1,
    Second = 2,
}

#[derive(Clone, Copy, Debug)]
pub struct Weight {
    pub grams: u32,
    pub tare: i32,
}

pub struct Letter {
    pub number: u64,
    pub to: String,
    pub lines: Vec<u16>,
    pub class: Class,
    pub weight: Weight,
}

impl Letter {
    #[inline(never)]
    pub fn send(&self, from: &str, weight: Weight, copies: u16) -> u64 {
        std::hint::black_box(self.number + from.len() as u64 + u64::from(weight.grams) + u64::from(copies))
    }
}

#[inline(never)]
pub fn sum(values: &[u32]) -> u32 {
    std::hint::black_box(values.iter().sum())
}

#[inline(never)]
pub fn largest<T: PartialOrd + Copy>(a: T, b: T) -> T {
    std::hint::black_box(if a > b { a } else { b })
}

#[no_mangle]
#[inline(never)]
pub extern "C" fn post_plain(number: u32, flag: bool) -> u32 {
    std::hint::black_box(number * 2 + u32::from(flag))
}

fn main() {
    let mut line = String::new();
    println!("ready");
    std::io::stdout().flush().unwrap();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    for i in 0..3u64 {
        let letter = Letter {
            number: 500 + i,
            to: format!("person {i}"),
            lines: vec![1, 2, i as u16],
            class: if i % 2 == 0 { Class::First } else { Class::Second },
            weight: Weight { grams: 20 + i as u32, tare: -1 },
        };
        let from = format!("office {i}");
        let sent = letter.send(&from, letter.weight, 7);
        println!("send {} {:?} {} {} {}", letter.to, letter.class, letter.lines.len(), from, sent);
        println!("sum {} largest {} {}", sum(&[1, 2, 3, i as u32]), largest(i, 1), largest(1.5, 0.5));
        println!("plain {}", post_plain(i as u32, i % 2 == 0));
    }
    println!("done");
    std::io::stdout().flush().unwrap();
    line.clear();
    std::io::stdin().lock().read_line(&mut line).unwrap();
}
