// C++: overloads, methods, templates, namespaces, classes that are not trivial to copy, inheritance.
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#define KEPT __attribute__((noinline, noipa))

namespace shop {

enum class Size : uint8_t { Small = 1, Large = 9 };

struct Money {
    int64_t cents;
    char currency[4];
};

class Item {
public:
    Item(std::string name, Size size) : name_(std::move(name)), size_(size) {}
    virtual ~Item() = default;
    KEPT virtual int64_t price(int count, Money base) const { return base.cents * count + static_cast<int>(size_); }
    KEPT int rename(const std::string &name) { name_ = name; return static_cast<int>(name_.size()); }
    KEPT static int compare(const Item &a, const Item &b) { return a.name_ < b.name_ ? -1 : 1; }
    const std::string &name() const { return name_; }

protected:
    std::string name_;
    Size size_;
};

class Book : public Item {
public:
    Book(std::string name, int pages) : Item(std::move(name), Size::Large), pages_(pages) {}
    KEPT int64_t price(int count, Money base) const override { return base.cents * count * pages_; }

private:
    int pages_;
};

KEPT int add(int a, int b) { return a + b; }
KEPT double add(double a, double b) { return a + b; }
KEPT size_t total(std::vector<int> values, std::string label) { return values.size() + label.size(); }
template <typename T> KEPT T twice(T value) { return value + value; }

}  // namespace shop

namespace {
KEPT int hidden(int number) { return number + 1; }
}

int main()
{
    char line[16];

    std::printf("ready\n");
    std::fflush(stdout);
    if (!std::fgets(line, sizeof(line), stdin))
        return 1;
    for (int i = 0; i < 3; i++) {
        std::unique_ptr<shop::Item> item;
        if (i % 2)
            item = std::make_unique<shop::Book>("a book with a name of its own", 100 + i);
        else
            item = std::make_unique<shop::Item>("pin", shop::Size::Small);
        std::printf("price %s %d %lld\n", item->name().c_str(), i + 2,
                    static_cast<long long>(item->price(i + 2, shop::Money{1000 + i, "EUR"})));
        std::printf("rename %d\n", item->rename("name " + std::to_string(i)));
        std::printf("compare %d\n", shop::Item::compare(*item, shop::Item("zzz", shop::Size::Large)));
        std::printf("add %d %g\n", shop::add(i, 40), shop::add(i * 1.5, 0.25));
        std::printf("total %zu\n", shop::total({1, 2, i}, "label"));
        std::printf("twice %d %g hidden %d\n", shop::twice(i), shop::twice(1.5), hidden(i));
    }
    std::printf("done\n");
    std::fflush(stdout);
    return std::fgets(line, sizeof(line), stdin) ? 0 : 1;
}
