#include "parallel.h"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace depthgrad {
namespace {

int threads() {
  static const int count = [] {
    const char* given = std::getenv("TF_NUM_INTRAOP_THREADS");
    const int number = given ? std::atoi(given) : 0;
    return number > 0 ? number : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }();
  return count;
}

// Threads that wait for parts. One job at a time: a second caller (a worker thread of Node) does its own work alone.
class Pool {
 public:
  bool run(int helpers, const std::function<void(int)>& part) {
    std::unique_lock<std::mutex> busy(busy_, std::try_to_lock);
    if (!busy) return false;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      while (static_cast<int>(workers_.size()) < helpers) {
        const int index = static_cast<int>(workers_.size());
        const unsigned seen = round_;
        workers_.emplace_back([this, index, seen] { wait(index, seen); });
        workers_.back().detach();  // they sleep until the process ends
      }
      part_ = &part;
      helpers_ = left_ = helpers;
      round_++;
    }
    start_.notify_all();
    part(helpers);
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return left_ == 0; });
    return true;
  }

 private:
  void wait(int index, unsigned seen) {
    for (;;) {
      const std::function<void(int)>* part;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        start_.wait(lock, [&] { return round_ != seen; });
        seen = round_;
        if (index >= helpers_) continue;
        part = part_;
      }
      (*part)(index);
      std::lock_guard<std::mutex> lock(mutex_);
      if (--left_ == 0) done_.notify_one();
    }
  }

  std::mutex busy_, mutex_;
  std::condition_variable start_, done_;
  std::vector<std::thread> workers_;
  const std::function<void(int)>* part_ = nullptr;
  unsigned round_ = 0;
  int helpers_ = 0, left_ = 0;
};

Pool& pool() {
  static Pool* only = new Pool;  // never destroyed: its threads outlive static destructors
  return *only;
}

}  // namespace

void parallel(ptrdiff_t count, ptrdiff_t smallest, const std::function<void(ptrdiff_t, ptrdiff_t)>& work) {
  const ptrdiff_t parts = std::min<ptrdiff_t>(threads(), count / std::max<ptrdiff_t>(1, smallest));
  const auto part = [&](int index) { work(count * index / parts, count * (index + 1) / parts); };
  if (parts <= 1 || !pool().run(static_cast<int>(parts) - 1, part)) work(0, count);
}

}  // namespace depthgrad
